// Package secretsmanager reads the secrets of SourceAccessConfigurations from AWS Secrets Manager, as AWS Lambda does,
// through the AWS SDK for Go v2.
//
//	store, err := secretsmanager.New(ctx)
//	credentials, warnings, err := auth.Resolve(ctx, store, configs)
//
// It needs secretsmanager:GetSecretValue on the secrets and, if a secret is encrypted with a customer's key,
// kms:Decrypt on that key.
package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/esm-go/esm/auth"
)

// Defaults of New. The timeout bounds one call of Secret with its retries, so that a consumer that waits for its
// credentials learns of a failure.
const (
	DefaultTimeout     = 15 * time.Second
	DefaultMaxAttempts = 4
)

// Option configures a Store.
type Option func(*options)

type options struct {
	config      *aws.Config
	region      string
	timeout     time.Duration
	maxAttempts int
	client      []func(*awssm.Options)
}

// WithConfig uses cfg instead of the SDK's default credential and configuration chain.
func WithConfig(cfg aws.Config) Option { return func(o *options) { o.config = &cfg } }

// WithRegion sets the region for secrets that are named without an ARN. The default is the configuration's (AWS_REGION
// and the shared files). For an ARN, the region always comes from the ARN.
func WithRegion(region string) Option { return func(o *options) { o.region = region } }

// WithTimeout bounds one call of Secret, including retries. The default is 15 s; it also applies if timeout is not
// positive.
func WithTimeout(timeout time.Duration) Option { return func(o *options) { o.timeout = timeout } }

// WithMaxAttempts sets how often a request is attempted in all if the service throttles or fails. The default is 4; it
// also applies if attempts is less than 1. Between attempts the SDK waits with exponential backoff and jitter.
func WithMaxAttempts(attempts int) Option { return func(o *options) { o.maxAttempts = attempts } }

// WithClientOptions changes the SDK's client, for example its HTTP client or, for a VPC endpoint, its BaseEndpoint.
func WithClientOptions(change ...func(*awssm.Options)) Option {
	return func(o *options) { o.client = append(o.client, change...) }
}

// Store is an [auth.Secrets] that reads AWS Secrets Manager. The URI is a secret's name or ARN; the ARN may lack its
// six random characters. The version is the VersionId of the secret's AWSCURRENT stage. It is safe for concurrent use.
type Store struct {
	options options
	config  aws.Config

	mu      sync.Mutex
	clients map[string]*awssm.Client // by region
}

var _ auth.Secrets = (*Store)(nil)

// New returns a Store. It loads the SDK's configuration (environment, shared files) but makes no request: credentials
// are fetched with the first secret.
func New(ctx context.Context, opts ...Option) (*Store, error) {
	s := &Store{clients: make(map[string]*awssm.Client)}
	for _, opt := range opts {
		opt(&s.options)
	}
	if s.options.timeout <= 0 {
		s.options.timeout = DefaultTimeout
	}
	if s.options.maxAttempts < 1 {
		s.options.maxAttempts = DefaultMaxAttempts
	}
	if s.options.config != nil {
		s.config = *s.options.config
		return s, nil
	}
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration (environment, ~/.aws): %w", err)
	}
	s.config = loaded
	return s, nil
}

// arnPattern is arn:partition:secretsmanager:region:account:secret:name.
var arnPattern = regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:.+$`)

// region returns the region to ask for uri.
func (s *Store) region(uri string) (string, error) {
	if match := arnPattern.FindStringSubmatch(uri); match != nil {
		return match[1], nil
	}
	if len(uri) > 4 && uri[:4] == "arn:" {
		return "", &auth.SecretError{URI: uri, Kind: auth.ErrSecretInvalid, Problem: "is not the ARN of a secret",
			Hint: "it has the form arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"}
	}
	if s.options.region != "" {
		return s.options.region, nil
	}
	if s.config.Region != "" {
		return s.config.Region, nil
	}
	return "", &auth.SecretError{URI: uri, Kind: auth.ErrSecretInvalid, Problem: "is a name without a region",
		Hint: "give the secret's ARN, or set AWS_REGION or secretsmanager.WithRegion"}
}

func (s *Store) client(region string) *awssm.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if client, ok := s.clients[region]; ok {
		return client
	}
	change := append([]func(*awssm.Options){func(o *awssm.Options) {
		o.Region = region
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts = s.options.maxAttempts })
	}}, s.options.client...)
	client := awssm.NewFromConfig(s.config, change...)
	s.clients[region] = client
	return client
}

// Secret reads the current version of a secret: its SecretString, or its SecretBinary. Errors are [*auth.SecretError]s.
func (s *Store) Secret(ctx context.Context, uri string) ([]byte, string, error) {
	region, err := s.region(uri)
	if err != nil {
		return nil, "", err
	}
	limited, cancel := context.WithTimeout(ctx, s.options.timeout)
	defer cancel()
	out, err := s.client(region).GetSecretValue(limited, &awssm.GetSecretValueInput{SecretId: &uri})
	if err != nil {
		if ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s: %w", s.options.timeout, context.DeadlineExceeded)
		}
		return nil, "", explain(uri, region, err)
	}
	value := out.SecretBinary
	if out.SecretString != nil {
		value = []byte(*out.SecretString)
	}
	if len(value) == 0 {
		return nil, "", &auth.SecretError{URI: uri, Kind: auth.ErrSecretInvalid, Problem: "has no value",
			Hint: "put one: aws secretsmanager put-secret-value"}
	}
	if len(value) > auth.MaxSecretSize {
		return nil, "", &auth.SecretError{URI: uri, Kind: auth.ErrSecretTooLarge,
			Problem: fmt.Sprintf("has %d bytes, %d are allowed", len(value), auth.MaxSecretSize),
			Hint:    "leave out of the PEM what is not needed"}
	}
	return value, aws.ToString(out.VersionId), nil
}
