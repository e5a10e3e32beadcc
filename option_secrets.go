package esm

import (
	"time"

	"github.com/esm-go/esm/auth"
)

// WithSecrets sets the store of the secrets that SourceAccessConfigurations name: auth/secretsmanager for AWS, or
// auth.NewFiles, auth.NewEnv, auth.NewStatic, and auth.Prefixes to combine them. Default: none, and New refuses a
// mapping that names a secret.
func WithSecrets(s auth.Secrets) Option { return optionFunc(func(o *options) { o.Secrets = s }) }

// WithSecretsRefresh sets how often the secrets are read again, so that a rotation needs no restart. Default 5 minutes;
// 0 means never. Unless d is 0, a refusal of the credentials in use also makes them be read again, at most every 10 s.
func WithSecretsRefresh(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d >= 0, "WithSecretsRefresh", d, "0 (never) or more")
		o.SecretsRefresh = d
	})
}
