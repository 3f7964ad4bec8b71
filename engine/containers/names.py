"""Names of containers: which are allowed, and one made up for a container that has none."""

from __future__ import annotations

import os
import re

from engine.errors import InvalidInput

_ALLOWED = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)

ADJECTIVES = (
    "amber ample azure balmy bold brave breezy bright brisk calm candid cheery civil clear coastal cordial cosy "
    "crisp dapper daring deft diligent docile eager early earnest even fabled fair faithful fearless festive fleet "
    "fond frank fresh frosty gallant genial gentle gilded glad gleaming golden graceful hale handy hardy hearty "
    "honest humble ideal jaunty jolly jovial keen kind lively loyal lucid lucky mellow merry mighty mild misty "
    "modest nautical neat nimble noble patient placid plucky polished polite proud quaint quick quiet ready rosy "
    "rugged rustic salty sandy serene shiny silver sincere snug spry stable starlit staunch steady stellar sterling "
    "stout sunny sure swift tidal tidy tranquil trim true trusty upbeat valiant vivid warm watchful willing windy "
    "wise witty zesty"
).split()

NOUNS = (
    "albatross anchor atoll avocet ballast barge barnacle bay beacon bittern boatswain bollard bosun bowline "
    "bowsprit breaker breakwater brig buoy cabin canoe capstan caravel catamaran channel clam clipper coast cockle "
    "compass coral cormorant cove coxswain crab current cutter delta dinghy dock dolphin dory dunlin eddy eider "
    "estuary ferry fjord flagship foghorn foresail frigate galleon galley gannet gull gunwale halyard harbour "
    "harpoon haven heron hull island islet jetty jib kayak keel ketch kittiwake lagoon lantern lateen launch ledge "
    "lighthouse limpet lugger mainsail mariner marlin mast mooring narwhal navigator oar octopus orca osprey otter "
    "outrigger paddle pelican petrel pier pilot plover porpoise porthole puffin quay raft reef regatta rigging "
    "rudder sail sailor sandbar schooner sextant shoal shore skiff skipper sloop sound spinnaker spray squid "
    "starfish steamer stern strait surf tern tide tiller topsail trawler trimaran tug turtle urchin voyage walrus "
    "wharf whelk windlass yacht yawl"
).split()


def random_name() -> str:
    """`adjective_noun`, as Docker names a container that was given no name."""
    drawn = int.from_bytes(os.urandom(8))  # `secrets` would bring OpenSSL: 4 ms
    drawn, noun = divmod(drawn, len(NOUNS))
    return f"{ADJECTIVES[drawn % len(ADJECTIVES)]}_{NOUNS[noun]}"


def validate(name: str) -> str:
    """The name as it is kept: Docker allows one leading slash. Raises: InvalidInput in Docker's words."""
    bare = name.removeprefix("/")
    if not _ALLOWED.fullmatch(bare):
        raise InvalidInput(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
            hint="a name has at least two characters",
        )
    return bare
