"""The verbs: what each is called, where its module is, and the line `--help` has for it."""

from __future__ import annotations

# verb: (module, one line for help). The order is that of `pilothouse --help`.
COMMON: dict[str, tuple[str, str]] = {
    "run": ("engine.cli.commands.run", "Create and run a new container from an image"),
    "exec": ("engine.cli.commands.exec", "Execute a command in a running container"),
    "ps": ("engine.cli.commands.ps", "List containers"),
    "logs": ("engine.cli.commands.logs", "Fetch the logs of a container"),
    "pull": ("engine.cli.commands.pull", "Download an image from a registry"),
    "images": ("engine.cli.commands.images", "List images"),
    "dash": ("engine.cli.dash", "Open the dashboard (also what happens without a command)"),
    "demo": ("engine.cli.demo", "Start three example containers, without a network, and open the dashboard on them"),
}
OTHERS: dict[str, tuple[str, str]] = {
    "attach": ("engine.cli.commands.attach", "Attach the terminal's input, output and errors to a running container"),
    "completion": ("engine.cli.commands.completion", "Print the completion script for bash, zsh or fish"),
    "cp": ("engine.cli.commands.cp", "Copy files/folders between a container and the local filesystem"),
    "create": ("engine.cli.commands.create", "Create a new container"),
    "diff": ("engine.cli.commands.diff", "Inspect changes to files or directories on a container's filesystem"),
    "events": ("engine.cli.commands.events", "Follow what the engine does"),
    "info": ("engine.cli.commands.info", "Show what the engine knows of itself and of the host"),
    "inspect": ("engine.cli.commands.inspect", "Show everything about containers, images or volumes"),
    "keys": ("engine.cli.commands.keys", "Show the keys of the dashboard that are in force"),
    "kill": ("engine.cli.commands.kill", "Kill one or more running containers"),
    "load": ("engine.cli.commands.load", "Load images from a tar archive or standard input"),
    "login": ("engine.cli.commands.login", "Log in to a registry"),
    "logout": ("engine.cli.commands.logout", "Log out from a registry"),
    "pause": ("engine.cli.commands.pause", "Pause all processes within one or more containers"),
    "port": ("engine.cli.commands.port", "List port mappings or a specific mapping of a container"),
    "publish": ("engine.cli.commands.publish", "Publish ports of a running container to the host"),
    "rename": ("engine.cli.commands.rename", "Rename a container"),
    "restart": ("engine.cli.commands.restart", "Restart one or more containers"),
    "rm": ("engine.cli.commands.rm", "Remove one or more containers"),
    "rmi": ("engine.cli.commands.rmi", "Remove one or more images"),
    "save": ("engine.cli.commands.save", "Save one or more images to a tar archive"),
    "start": ("engine.cli.commands.start", "Start one or more stopped containers"),
    "stats": ("engine.cli.commands.stats", "Show what containers use of the machine, live"),
    "stop": ("engine.cli.commands.stop", "Stop one or more running containers"),
    "top": ("engine.cli.commands.top", "Display the running processes of a container"),
    "unpause": ("engine.cli.commands.unpause", "Unpause all processes within one or more containers"),
    "unpublish": ("engine.cli.commands.unpublish", "Take published ports from a running container"),
    "version": ("engine.cli.commands.version", "Show the version"),
    "wait": ("engine.cli.commands.wait", "Block until containers stop, then print their exit codes"),
}
ALL = COMMON | OTHERS
# what Docker has under a noun alone
MANAGED: dict[str, tuple[str, str]] = {
    "container prune": ("engine.cli.commands.container_prune", "Remove all stopped containers"),
    "image prune": ("engine.cli.commands.image_prune", "Remove unused images"),
    "system boot": ("engine.cli.commands.system_boot", "Start the containers whose restart policy says so"),
    "system check": ("engine.cli.commands.system_check", "Find and mend what is damaged or left over"),
    "system df": ("engine.cli.commands.system_df", "Show disk usage"),
    "system prune": ("engine.cli.commands.system_prune", "Remove unused data"),
    "volume create": ("engine.cli.commands.volume_create", "Create a volume"),
    "volume inspect": ("engine.cli.commands.volume_inspect", "Display detailed information on one or more volumes"),
    "volume ls": ("engine.cli.commands.volume_ls", "List volumes"),
    "volume prune": ("engine.cli.commands.volume_prune", "Remove unused local volumes"),
    "volume rm": ("engine.cli.commands.volume_rm", "Remove one or more volumes"),
}


def entry(verb: str) -> tuple[str, str] | None:
    """Module and line of a verb, or of a noun with its verb."""
    return ALL.get(verb) or MANAGED.get(verb)


_CONTAINER = (
    "attach cp create diff exec inspect kill logs pause port publish rename restart rm run start stats stop top unpause"
    " unpublish wait"
)

# Docker's management commands: noun, then verb, then what it means here.
NOUNS: dict[str, dict[str, str]] = {
    "container": {verb: verb for verb in _CONTAINER.split()}
    | {"ls": "ps", "list": "ps", "ps": "ps", "remove": "rm"}
    | {"prune": "container prune"},
    "image": {"ls": "images", "list": "images", "pull": "pull", "rm": "rmi", "remove": "rmi", "inspect": "inspect"}
    | {"load": "load", "prune": "image prune", "save": "save"},
    "system": {"boot": "system boot", "check": "system check", "df": "system df", "info": "info", "events": "events"}
    | {"prune": "system prune"},
    "volume": {verb: f"volume {verb}" for verb in ("create", "inspect", "ls", "prune", "rm")}
    | {"list": "volume ls", "remove": "volume rm"},
}
