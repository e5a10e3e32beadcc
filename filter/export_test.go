package filter

// CompileEvent compiles patterns over whole events, with any root key instead of "value".
func CompileEvent(patterns []string, opts ...Option) (*Set, error) {
	return Compile(patterns, append(opts, func(o *options) { o.root = "" })...)
}
