"""The system calls the standard library lacks, one thin typed function each."""
