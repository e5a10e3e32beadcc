package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// FromPEM returns the JSON of a secret of CLIENT_CERTIFICATE_TLS_AUTH, built from a certificate followed by its chain
// and its private key, both as PEM. keyPassword is the key's password, "" if it has none. FromPEM makes the same checks
// as [Resolve] and returns the same errors.
func FromPEM(certificate, privateKey []byte, keyPassword string) ([]byte, error) {
	fields := map[string]string{"certificate": string(certificate), "privateKey": string(privateKey)}
	if keyPassword != "" {
		fields["privateKeyPassword"] = keyPassword
	}
	return checkedSecret(ClientCertificateTLSAuth, fields)
}

// RootCAFromPEM returns the JSON of a secret of SERVER_ROOT_CA_CERTIFICATE, built from one or more CAs, one PEM block
// after the other. It makes the same checks as [Resolve].
func RootCAFromPEM(certificates []byte) ([]byte, error) {
	return checkedSecret(ServerRootCACertificate, map[string]string{"certificate": string(certificates)})
}

// checkedSecret builds the JSON of a secret and parses it as Resolve does. A certificate that is valid soon is no
// error.
func checkedSecret(t SourceAccessType, fields map[string]string) ([]byte, error) {
	value, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	if len(value) > MaxSecretSize {
		return nil, fmt.Errorf("%w: has %d bytes, %d are allowed", ErrSecretTooLarge, len(value), MaxSecretSize)
	}
	p := secretParser{config: SourceAccessConfiguration{Type: t, URI: "PEM"}, now: time.Now()}
	if err := p.into(&Credentials{Protocol: ProtocolPlaintext}, value); err != nil {
		if waiting, ok := errors.AsType[*SecretError](err); !ok || !waiting.Temporary {
			return nil, err
		}
	}
	return value, nil
}
