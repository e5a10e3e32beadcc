package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/keda"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs the program until the test ends, and checks that it ends without an error.
func serve(t *testing.T, args ...string) (address string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	listening, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), io.Discard, func(a net.Addr) { listening <- a })
	}()
	stopped := false
	stop = func() {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the program ended with %v", err)
		}
	}
	t.Cleanup(stop)
	select {
	case a := <-listening:
		return a.String(), stop
	case err := <-ended:
		stopped = true
		cancel()
		t.Fatal(err)
		return "", nil
	}
}

func healthOf(t *testing.T, address string, creds credentials.TransportCredentials, service string) (*grpc_health_v1.HealthCheckResponse, error) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
}

func TestServesAndStops(t *testing.T) {
	address, stop := serve(t)
	for _, service := range []string{"", keda.ServiceName} {
		response, err := healthOf(t, address, insecure.NewCredentials(), service)
		if err != nil || response.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", service, response, err)
		}
	}
	stop()
	if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
}

func TestMutualTLS(t *testing.T) {
	certificate, key, pool := makeCertificate(t)
	address, _ := serve(t, "-tls-cert", certificate, "-tls-key", key, "-tls-client-ca", certificate)
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	with := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}})
	if _, err := healthOf(t, address, with, ""); err != nil {
		t.Errorf("with a client certificate: %v", err)
	}
	without := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool})
	if _, err := healthOf(t, address, without, ""); err == nil {
		t.Error("a client without a certificate was let in")
	}
}

func makeCertificate(t *testing.T) (certificate, key string, pool *x509.CertPool) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(err)
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(os.WriteFile(certificate, text, 0o600))
	must(os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return certificate, key, pool
}

func TestBadFlags(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	certificate, key, _ := makeCertificate(t)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"-tls-cert", certificate}, "-tls-key"},
		{[]string{"-tls-client-ca", certificate}, "-tls-cert"},
		{[]string{"-tls-cert", empty, "-tls-key", key}, "-tls-cert"},
		{[]string{"-tls-cert", certificate, "-tls-key", key, "-tls-client-ca", empty}, "no certificate in PEM"},
		{[]string{"-listen", "nowhere:x"}, "-listen"},
		{[]string{"-max-objects", "0"}, "-max-objects"},
		{[]string{"-log-level", "LOUD"}, "log-level"},
		{[]string{"serve"}, `"serve"`},
	} {
		if err := run(t.Context(), c.args, io.Discard, nil); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want an error that says %q", c.args, err, c.says)
		}
	}
	if err := run(t.Context(), []string{"-help"}, io.Discard, nil); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-help: %v", err)
	}
}

// TestSecretsStayInTheirNamespace names another namespace's secrets in every possible way.
func TestSecretsStayInTheirNamespace(t *testing.T) {
	dir := t.TempDir()
	for _, namespace := range []string{"shop", "bank"} {
		if err := os.Mkdir(filepath.Join(dir, namespace), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, namespace, "kafka.json"), []byte(namespace), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../bank/kafka.json", filepath.Join(dir, "shop", "link.json")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ESM_SECRET_KAFKA", "bank")
	t.Setenv("KAFKA", "bank")
	of := (&settings{secretsDir: dir, envNamespace: "bank"}).secrets()
	get := func(namespace, uri string) (string, error) {
		value, _, err := of(namespace).Secret(t.Context(), uri)
		return string(value), err
	}
	for uri, want := range map[string]string{"file:kafka.json": "shop", "kafka.json": "shop"} {
		if got, err := get("shop", uri); err != nil || got != want {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
	if got, err := get("bank", "env:ESM_SECRET_KAFKA"); err != nil || got != "bank" {
		t.Errorf("env: %q, %v", got, err)
	}
	for _, uri := range []string{
		"file:../bank/kafka.json", "file:" + filepath.Join(dir, "bank", "kafka.json"), "file:link.json", "env:ESM_SECRET_KAFKA", "env:KAFKA",
	} {
		if got, err := get("shop", uri); err == nil {
			t.Errorf("%s gave shop %q", uri, got)
		} else if !errors.Is(err, auth.ErrSecretAccessDenied) && !errors.Is(err, auth.ErrSecretNotFound) && !errors.Is(err, auth.ErrSecretUnavailable) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if _, err := get("bank", "env:KAFKA"); err == nil {
		t.Error("a variable without the prefix was read")
	}
	if (&settings{}).secrets()("shop") != nil {
		t.Error("secrets without any flag")
	}
}

// TestExampleFlags parses the arguments of the example deployment.
func TestExampleFlags(t *testing.T) {
	text, err := os.ReadFile("../../deploy/scaler.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for line := range strings.Lines(string(text)) {
		if arg, ok := strings.CutPrefix(strings.TrimSpace(line), "- -"); ok {
			args = append(args, "-"+arg)
		}
	}
	s, err := parseFlags(args, io.Discard)
	if err != nil || len(args) == 0 || s.secretsDir == "" {
		t.Errorf("the arguments %q: %v", args, err)
	}
}
