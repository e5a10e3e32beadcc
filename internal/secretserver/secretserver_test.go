package secretserver

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// The real SDK creates, changes and reads secrets.
func TestServer(t *testing.T) {
	server := httptest.NewServer(new(Server))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := awssm.NewFromConfig(aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "x", ""),
		HTTPClient: &http.Client{Transport: transport}, BaseEndpoint: &server.URL})
	ctx := t.Context()
	created, err := client.CreateSecret(ctx, &awssm.CreateSecretInput{Name: new("a/b"), SecretString: new("one")})
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf"; *created.ARN != want {
		t.Errorf("%s, want %s", *created.ARN, want)
	}
	if _, err := client.CreateSecret(ctx, &awssm.CreateSecretInput{Name: new("a/b"), SecretString: new("again")}); !is[*types.ResourceExistsException](err) {
		t.Errorf("created twice: %v", err)
	}
	versions := map[string]bool{}
	for i, id := range []string{*created.ARN, "a/b", (*created.ARN)[:len(*created.ARN)-7]} {
		got, err := client.GetSecretValue(ctx, &awssm.GetSecretValueInput{SecretId: &id})
		if err != nil {
			t.Fatal(err)
		}
		versions[*got.VersionId] = true
		if want := []byte{byte(i)}; i > 0 && !bytes.Equal(got.SecretBinary, want) || i == 0 && *got.SecretString != "one" {
			t.Errorf("%s: %v, %v", id, got.SecretString, got.SecretBinary)
		}
		if _, err := client.PutSecretValue(ctx, &awssm.PutSecretValueInput{SecretId: &id, SecretBinary: []byte{byte(i + 1)}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(versions) != 3 {
		t.Errorf("%d versions, want 3", len(versions))
	}
	if _, err := client.GetSecretValue(ctx, &awssm.GetSecretValueInput{SecretId: new("none")}); !is[*types.ResourceNotFoundException](err) {
		t.Errorf("a secret that is not there: %v", err)
	}
	if _, err := client.DeleteSecret(ctx, &awssm.DeleteSecretInput{SecretId: new("a/b")}); err == nil {
		t.Error("a call that it does not know works")
	}
}
