package secretsmanager

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/esm-go/esm/auth"
)

// motoURL returns the address of a moto server: ESM_MOTO (http://host:port), or one started from the PATH. Without
// either, the test is skipped; if ESM_MOTO does not answer, it fails.
func motoURL(t *testing.T) string {
	t.Helper()
	if url := os.Getenv("ESM_MOTO"); url != "" {
		if !answers(url) {
			t.Fatalf("ESM_MOTO=%s does not answer", url)
		}
		return url
	}
	binary, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not on the PATH and ESM_MOTO is not set")
	}
	if exec.Command(binary, "--help").Run() != nil {
		t.Skip("moto_server is on the PATH and does not run")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(address)
	var output bytes.Buffer
	command := exec.Command(binary, "-H", "127.0.0.1", "-p", port)
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	url := "http://" + address
	deadline, tick := time.After(60*time.Second), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for !answers(url) {
		select {
		case <-tick.C:
		case <-deadline:
			_ = command.Process.Kill()
			_ = command.Wait()
			t.Fatalf("moto_server does not answer: %s", output.String())
		}
	}
	return url
}

func answers(url string) bool {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url + "/moto-api/")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// The real SDK with moto: create, read, rotate, read again, delete.
func TestMoto(t *testing.T) {
	url := motoURL(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	config := aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "x", ""),
		HTTPClient: &http.Client{Transport: transport}, BaseEndpoint: &url}
	admin := awssm.NewFromConfig(config)
	created, err := admin.CreateSecret(ctx, &awssm.CreateSecretInput{Name: aws.String("kafka/" + t.Name() + time.Now().Format("150405.000000")),
		SecretString: aws.String(`{"username":"alice","password":"one"}`)})
	if err != nil {
		t.Fatal(err)
	}
	store, err := New(ctx, WithConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	configs := []auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: *created.ARN}}
	first, _, err := auth.Resolve(ctx, store, configs)
	if err != nil || first.Password.Reveal() != "one" {
		t.Fatal(first, err)
	}
	if _, err := admin.PutSecretValue(ctx, &awssm.PutSecretValueInput{SecretId: created.ARN,
		SecretBinary: []byte(`{"username":"alice","password":"two"}`)}); err != nil {
		t.Fatal(err)
	}
	second, _, err := auth.Resolve(ctx, store, configs)
	if err != nil || second.Password.Reveal() != "two" || second.Version == first.Version {
		t.Fatal(second, err)
	}
	missing := strings.Replace(*created.ARN, "secret:kafka", "secret:nokafka", 1)
	if _, _, err := store.Secret(ctx, missing); !errors.Is(err, auth.ErrSecretNotFound) {
		t.Error(err)
	}
	if _, err := admin.DeleteSecret(ctx, &awssm.DeleteSecretInput{SecretId: created.ARN}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Secret(ctx, *created.ARN); !errors.Is(err, auth.ErrSecretNotFound) {
		t.Errorf("deleted: %v", err)
	}
}
