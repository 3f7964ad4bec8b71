"""What the dashboard does with containers beside listing them: columns, dialogs, the card of an end, reports."""
