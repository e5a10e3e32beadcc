package auth

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// IAM signs with AWS credentials, for IAM_AUTH and IAM_OAUTHBEARER_AUTH. Package auth/iam has an implementation that
// uses the AWS SDK's credential chain; pass it to a mapping with [WithIAM]. Implementations must be safe for concurrent
// use.
type IAM interface {
	// Challenge returns what AWS_MSK_IAM sends to a broker, signed for its host (without a port): a JSON object.
	Challenge(ctx context.Context, host string) ([]byte, error)
	// MSKToken returns a signed token that Amazon MSK accepts with OAUTHBEARER in place of AWS_MSK_IAM.
	MSKToken(ctx context.Context) (*Token, error)
	// WebIdentityToken returns a token of sts:GetWebIdentityToken for an audience.
	WebIdentityToken(ctx context.Context, audience string) (*Token, error)
	// Identity describes the signer, for example by its region. It is printed, and equal for equal signers.
	Identity() string
}

// WithIAM returns secrets with a signer for IAM_AUTH and IAM_OAUTHBEARER_AUTH. secrets may be nil.
func WithIAM(secrets Secrets, iam IAM) Secrets { return &iamSecrets{secrets, iam} }

type iamSecrets struct {
	secrets Secrets
	iam     IAM
}

// Secret asks the store.
func (s *iamSecrets) Secret(ctx context.Context, uri string) ([]byte, string, error) {
	if s.secrets == nil {
		return nil, "", &SecretError{URI: uri, Kind: ErrSecretUnavailable, Problem: "no store of secrets is configured",
			Hint: "give one to auth.WithIAM beside the signer"}
	}
	return s.secrets.Secret(ctx, uri)
}

// signer returns the signer of secrets, nil if there is none.
func signer(secrets Secrets) IAM {
	if with, ok := secrets.(*iamSecrets); ok {
		return with.iam
	}
	return nil
}

// resolveIAM sets the credentials of the types that have no secret.
func resolveIAM(secrets Secrets, config SourceAccessConfiguration, c *Credentials) error {
	iam := signer(secrets)
	if iam == nil {
		return &SecretError{Type: config.Type, Kind: ErrSecretUnavailable, Problem: "nothing signs with AWS credentials",
			Hint: "configure secrets with auth.WithIAM(secrets, signer), the signer of package auth/iam"}
	}
	c.Protocol, c.IAM = ProtocolSASLSSL, iam
	switch config.Type {
	case IAMAuth:
		c.Mechanism = MechanismAWSMSKIAM
		c.Tokens = NewTokens("AWS_MSK_IAM, "+iam.Identity(), NewSecret("msk "+iam.Identity()), iam.MSKToken)
	case IAMOAuthBearerAuth:
		audience := c.audience
		c.Mechanism = MechanismOAuthBearer
		c.Tokens = NewTokens(fmt.Sprintf("tokens of AWS STS for %q, %s", audience, iam.Identity()), NewSecret("sts "+audience+" "+iam.Identity()),
			func(ctx context.Context) (*Token, error) { return iam.WebIdentityToken(ctx, audience) })
	}
	return nil
}

// iamRefused returns the Diagnosis for a broker that does not accept a signature.
func iamRefused(seen string) Diagnosis {
	d := Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: CauseIAM, Detail: "the broker refuses the signature of AWS_MSK_IAM",
		Hint: "check the region, that the credentials are of a role that may kafka-cluster:Connect, and this machine's clock"}
	if found := saidByIAM.FindAllString(seen, 3); len(found) > 0 {
		d.Detail += ": " + strings.Join(found, ": ")
	}
	return d
}

// saidByIAM matches what Amazon MSK says about a refusal, without the IDs and keys that may follow.
var saidByIAM = regexp.MustCompile(`(?i)(access denied|signature (expired|not yet current|does not match)|invalid (signature|credentials)|too (many|fast) connects)`)

// classifyAWS classifies an error of AWS before there is a token or a signature.
func classifyAWS(failure *TokenError, skewed bool) Diagnosis {
	refused := func(cause Cause, hint string) Diagnosis {
		return Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: cause, Detail: failure.Error(), Hint: hint}
	}
	code := failure.Code
	switch {
	case failure.Err != nil, failure.Status >= 500, failure.Status == 429:
		return connection(CauseTokenEndpoint, failure.Error(), "give access to AWS STS, through a NAT gateway or a VPC endpoint; the request is repeated")
	case failure.Clock, skewed && (strings.Contains(code, "Signature") || strings.Contains(code, "Expired")):
		d := refused(CauseTokenClock, "correct this machine's clock")
		if skewed {
			d.Detail += fmt.Sprintf("; AWS's clock is %v ahead of this machine's", failure.Skew)
		}
		return d
	case code == "NoCredentials":
		return refused(CauseIAM, "give this process AWS credentials: a role of the task, pod or instance, or the environment")
	case code == "NoRegion":
		return refused(CauseIAM, "set AWS_REGION, or iam.WithRegion")
	case strings.HasPrefix(code, "AccessDenied"):
		return refused(CauseIAM, "allow sts:GetWebIdentityToken to the role of this process")
	case strings.Contains(code, "Federation"):
		return refused(CauseIAM, "turn on outbound web identity federation in the account")
	}
	return refused(CauseIAM, "check this process's AWS credentials, that they are current, and the machine's clock")
}
