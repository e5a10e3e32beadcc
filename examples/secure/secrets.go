package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/auth/secretsmanager"
	"github.com/esm-go/esm/internal/secretserver"
)

// kept is a set of stored secrets: how the library reads them, and how this program changes one.
type kept struct {
	store auth.Secrets
	uris  map[string]string
	put   func(ctx context.Context, name string, fields map[string]string) error
	close func()
}

// inFiles stores secrets in a directory, one file each.
func inFiles(ctx context.Context, secrets map[string]map[string]string) (*kept, error) {
	dir, err := os.MkdirTemp("", "esm-secure-")
	if err != nil {
		return nil, err
	}
	k := &kept{store: auth.NewFiles(dir), uris: map[string]string{}, close: func() { _ = os.RemoveAll(dir) }}
	k.put = func(_ context.Context, name string, fields map[string]string) error {
		text, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		// Write a new file and rename it: a reader sees the old or the new content, never part of it.
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path+".new", text, 0o600); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	}
	for name, fields := range secrets {
		k.uris[name] = "file:" + name + ".json"
		if err := k.put(ctx, name, fields); err != nil {
			k.close()
			return nil, err
		}
	}
	return k, nil
}

// inSecretsManager stores secrets in AWS Secrets Manager, or in a replacement for it.
func inSecretsManager(ctx context.Context, secrets map[string]map[string]string) (*kept, error) {
	k := &kept{uris: map[string]string{}, close: func() {}}
	var cfg aws.Config
	if os.Getenv("AWS_ENDPOINT_URL_SECRETS_MANAGER") != "" {
		var err error
		if cfg, err = config.LoadDefaultConfig(ctx); err != nil {
			return nil, fmt.Errorf("load the AWS configuration: %w", err)
		}
	} else {
		server := httptest.NewServer(new(secretserver.Server))
		transport := &http.Transport{}
		k.close = func() { transport.CloseIdleConnections(); server.Close() }
		cfg = aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: &http.Client{Transport: transport},
			Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", "")}
	}
	store, err := secretsmanager.New(ctx, secretsmanager.WithConfig(cfg))
	if err != nil {
		k.close()
		return nil, err
	}
	k.store = store
	client := awssm.NewFromConfig(cfg)
	k.put = func(ctx context.Context, name string, fields map[string]string) error {
		text, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		_, err = client.PutSecretValue(ctx, &awssm.PutSecretValueInput{SecretId: aws.String(k.uris[name]), SecretString: aws.String(string(text))})
		return err
	}
	for name, fields := range secrets {
		text, err := json.Marshal(fields)
		if err != nil {
			k.close()
			return nil, err
		}
		out, err := client.CreateSecret(ctx, &awssm.CreateSecretInput{SecretString: aws.String(string(text)),
			Name: aws.String(fmt.Sprintf("esm-secure-%d/%s", time.Now().UnixNano(), name))})
		if err != nil {
			k.close()
			return nil, fmt.Errorf("create a secret: %w", err)
		}
		k.uris[name] = *out.ARN
	}
	return k, nil
}
