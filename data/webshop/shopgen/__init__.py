"""The generator of the bundled shop: vocabulary, products, instructions."""
