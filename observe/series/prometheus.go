package series

// PrometheusName returns the name of a series by Prometheus' conventions: the prefix, the name, the unit if it is
// seconds or bytes, and _total for a counter.
func (s *Series) PrometheusName(prefix string, counter bool) string {
	name := prefix + s.Name + map[string]string{"s": "_seconds", "By": "_bytes"}[s.Unit]
	if counter {
		name += "_total"
	}
	return name
}

// Sentence returns Help as a sentence, with Lambda's name if there is one.
func (s *Series) Sentence() string {
	if s.AWS != "" {
		return s.Help + " (" + s.AWS + ")."
	}
	return s.Help + "."
}
