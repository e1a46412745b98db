"""Parts of networks: encoders, decoders, feature extractors and heads. They know tensors, not scenes."""
