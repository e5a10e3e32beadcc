package esm

// SourceAccessConfiguration names one secret, or one network resource, with which to reach the cluster.
type SourceAccessConfiguration struct {
	Type SourceAccessType `json:"Type,omitempty"`
	URI  string           `json:"URI,omitempty"`
}

// SourceAccessType says what a SourceAccessConfiguration is.
type SourceAccessType string
