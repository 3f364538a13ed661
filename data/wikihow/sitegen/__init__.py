"""The generator of the bundled how-to site: vocabulary, articles, tasks."""
