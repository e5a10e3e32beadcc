// Package iam signs with AWS credentials for IAM_AUTH (AWS_MSK_IAM) and IAM_OAUTHBEARER_AUTH (tokens of
// sts:GetWebIdentityToken), through the AWS SDK for Go v2.
//
//	signer, err := iam.New(ctx)
//	runner, err := esm.New(mapping, handler, esm.WithSecrets(auth.WithIAM(store, signer)))
//
// The credentials are those of the SDK's default chain: environment, shared files, web identity, container or instance role.
// They are retrieved for every signature, so that the SDK can renew them. IAM_AUTH needs kafka-cluster:Connect and the
// kafka-cluster actions on topic and group. IAM_OAUTHBEARER_AUTH needs sts:GetWebIdentityToken, and outbound web identity
// federation must be enabled in the account.
package iam

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/esm-go/esm/auth"
)

const (
	// service and action are what Amazon MSK's brokers check.
	service = "kafka-cluster"
	action  = "kafka-cluster:Connect"
	// challengeLife is how long a signature for a broker is valid: it is made when it is sent. tokenLife is the lifetime
	// of a signed token, the maximum that Amazon MSK accepts.
	challengeLife, tokenLife = 15 * time.Minute, 15 * time.Minute
	userAgent                = "esm-go"
)

// Option configures a Signer.
type Option func(*Signer)

// WithConfig uses cfg instead of the SDK's default credential and configuration chain.
func WithConfig(cfg aws.Config) Option { return func(s *Signer) { s.config = &cfg } }

// WithRegion sets the region of the cluster. The default is the configuration's (AWS_REGION and the shared files), or
// else the one in a broker's name under amazonaws.com.
func WithRegion(region string) Option { return func(s *Signer) { s.region = region } }

// WithSTSOptions changes the SDK's client of AWS STS, for example its HTTP client or, for a VPC endpoint, its
// BaseEndpoint.
func WithSTSOptions(change ...func(*sts.Options)) Option {
	return func(s *Signer) { s.sts = append(s.sts, change...) }
}

// Signer is an [auth.IAM] that uses the AWS SDK. It is safe for concurrent use.
type Signer struct {
	config *aws.Config
	region string
	sts    []func(*sts.Options)
}

var _ auth.IAM = (*Signer)(nil)

// New returns a Signer. It loads the SDK's configuration but makes no request.
func New(ctx context.Context, opts ...Option) (*Signer, error) {
	s := &Signer{}
	for _, opt := range opts {
		opt(s)
	}
	if s.config == nil {
		loaded, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("load the AWS configuration (environment, ~/.aws): %w", err)
		}
		s.config = &loaded
	}
	if s.region == "" {
		s.region = s.config.Region
	}
	return s, nil
}

// Identity returns the region in words.
func (s *Signer) Identity() string {
	if s.region == "" {
		return "region of the broker's name"
	}
	return "region " + s.region
}

// hostRegion finds the region in the name of an Amazon MSK broker.
var hostRegion = regexp.MustCompile(`\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$`)

func (s *Signer) regionFor(host string) (string, error) {
	if s.region != "" {
		return s.region, nil
	}
	if match := hostRegion.FindStringSubmatch(host); match != nil {
		return match[1], nil
	}
	return "", &auth.TokenError{Endpoint: "AWS credentials", Code: "NoRegion",
		Description: "no region is configured, and a custom broker name does not contain one"}
}

// credentials returns the current credentials.
func (s *Signer) credentials(ctx context.Context) (aws.Credentials, error) {
	if s.config.Credentials == nil {
		return aws.Credentials{}, &auth.TokenError{Endpoint: "AWS credentials", Code: "NoCredentials", Description: "none are configured"}
	}
	c, err := s.config.Credentials.Retrieve(ctx)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return c, ctx.Err()
	}
	// The chain's own text is long, and names only where it looked.
	return c, &auth.TokenError{Endpoint: "AWS credentials", Code: "NoCredentials", Description: fmt.Sprintf("the credential chain has none: %.300s", err.Error())}
}

// presign signs a GET of a URL with an empty body, valid for life.
func (s *Signer) presign(ctx context.Context, base, region string, life time.Duration) (*url.URL, aws.Credentials, error) {
	c, err := s.credentials(ctx)
	if err != nil {
		return nil, c, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base, http.NoBody)
	if err != nil {
		return nil, c, errors.New("a broker's name is not a host")
	}
	request.URL.RawQuery = url.Values{"Action": {action}, "X-Amz-Expires": {fmt.Sprint(int(life.Seconds()))}}.Encode()
	empty := sha256.Sum256(nil)
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, c, request, hex.EncodeToString(empty[:]), service, region, time.Now())
	if err != nil {
		return nil, c, errors.New("the AWS credentials do not sign")
	}
	u, err := url.Parse(signed)
	if err != nil {
		return nil, c, errors.New("the AWS credentials do not sign")
	}
	return u, c, nil
}

// Challenge returns what AWS_MSK_IAM sends to a broker, signed for its host.
func (s *Signer) Challenge(ctx context.Context, host string) ([]byte, error) {
	region, err := s.regionFor(host)
	if err != nil {
		return nil, err
	}
	u, _, err := s.presign(ctx, "https://"+host+"/", region, challengeLife)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{"version": "2020_10_22", "host": host, "user-agent": userAgent}
	for name, values := range u.Query() {
		fields[strings.ToLower(name)] = values[0]
	}
	return json.Marshal(fields)
}

// MSKToken returns a signed token that Amazon MSK accepts with OAUTHBEARER.
func (s *Signer) MSKToken(ctx context.Context) (*auth.Token, error) {
	region, err := s.regionFor("")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	u, c, err := s.presign(ctx, "https://kafka."+region+".amazonaws.com/", region, tokenLife)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	query.Set("User-Agent", userAgent) // outside the signature, as Amazon MSK requires
	u.RawQuery = query.Encode()
	expires := now.Add(tokenLife)
	if c.CanExpire && c.Expires.Before(expires) {
		expires = c.Expires
	}
	return &auth.Token{Value: auth.NewSecret(base64.RawURLEncoding.EncodeToString([]byte(u.String()))), Expires: expires}, nil
}
