"""Mixed models of every gene: some effects of the samples are random. No pandas."""
