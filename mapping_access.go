package esm

import "github.com/esm-go/esm/auth"

// SourceAccessConfiguration names one secret, or one network resource, with which to reach the cluster.
type SourceAccessConfiguration = auth.SourceAccessConfiguration

// SourceAccessType says what a SourceAccessConfiguration is; package auth holds the constants.
type SourceAccessType = auth.SourceAccessType
