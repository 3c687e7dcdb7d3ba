"""What runs in jobs: readers of hostile files. They import no server code but each other's and the
shared nouns', and give pieces as `servers.hook_enabled_file.extracted` describes them."""
