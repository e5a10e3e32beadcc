package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/keda"
)

// envPrefix keeps ScaledObjects from naming arbitrary variables.
const envPrefix = "ESM_SECRET_"

// secrets returns the secrets that the flags allow, by namespace.
func (s *settings) secrets() keda.SecretsOf {
	return func(namespace string) auth.Secrets {
		stores := auth.Prefixes{}
		if s.secretsDir != "" {
			if files := keda.NamespacedFiles(s.secretsDir)(namespace); files != nil {
				stores[""] = files
			}
		}
		if s.envNamespace != "" && namespace == s.envNamespace {
			stores["env:"+envPrefix] = auth.NewEnv()
		}
		if len(stores) == 0 {
			return nil
		}
		return auth.SecretsFunc(func(ctx context.Context, uri string) ([]byte, string, error) {
			if strings.HasPrefix(uri, "env:") && stores["env:"+envPrefix] == nil {
				return nil, "", &auth.SecretError{URI: uri, Kind: auth.ErrSecretAccessDenied,
					Problem: "environment variables are not for this namespace", Hint: "see -secrets-env-namespace"}
			}
			return stores.Secret(ctx, uri)
		})
	}
}

// files are the files of the listener's TLS.
type files struct{ certificate, key, clientCA string }

// options returns the listener's credentials, or none without a certificate. The certificate is read for each
// connection, so that a renewed one takes effect.
func (f files) options() ([]grpc.ServerOption, error) {
	switch {
	case (f.certificate == "") != (f.key == ""):
		return nil, errors.New("-tls-cert and -tls-key go together: give both or neither")
	case f.certificate == "" && f.clientCA != "":
		return nil, errors.New("-tls-client-ca needs -tls-cert and -tls-key")
	case f.certificate == "":
		return nil, nil
	}
	load := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
		return &pair, err
	}
	if _, err := load(nil); err != nil {
		return nil, fmt.Errorf("-tls-cert and -tls-key: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: load}
	if f.clientCA != "" {
		text, err := os.ReadFile(f.clientCA)
		if err != nil {
			return nil, fmt.Errorf("-tls-client-ca: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("-tls-client-ca: %s holds no certificate in PEM", f.clientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(config))}, nil
}
