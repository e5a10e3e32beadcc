package auth

// SourceAccessType is the Type of one entry of SourceAccessConfigurations: AWS's SourceAccessType.
type SourceAccessType string

// The types that AWS Lambda supports for a self-managed Apache Kafka cluster (AWS SDK enum SourceAccessType, without
// RabbitMQ's VIRTUAL_HOST).
const (
	// VPCSubnet and VPCSecurityGroup place Lambda's pollers in a network. This process already is in its network, so both
	// are accepted and do nothing.
	VPCSubnet        SourceAccessType = "VPC_SUBNET"
	VPCSecurityGroup SourceAccessType = "VPC_SECURITY_GROUP"

	// BasicAuth is SASL/PLAIN over TLS. Secret: username, password.
	BasicAuth SourceAccessType = "BASIC_AUTH"
	// SASLSCRAM256Auth is SASL/SCRAM-SHA-256 over TLS. Secret: username, password.
	SASLSCRAM256Auth SourceAccessType = "SASL_SCRAM_256_AUTH"
	// SASLSCRAM512Auth is SASL/SCRAM-SHA-512 over TLS. Secret: username, password.
	SASLSCRAM512Auth SourceAccessType = "SASL_SCRAM_512_AUTH"
	// ClientCertificateTLSAuth is mutual TLS. Secret: certificate, privateKey and, if the key is encrypted,
	// privateKeyPassword.
	ClientCertificateTLSAuth SourceAccessType = "CLIENT_CERTIFICATE_TLS_AUTH"
	// ServerRootCACertificate is the private CA that signed the brokers' certificates. Secret: certificate. It can be
	// combined with any of the types above.
	ServerRootCACertificate SourceAccessType = "SERVER_ROOT_CA_CERTIFICATE"

	// OAuthBearerAuth is SASL/OAUTHBEARER over TLS, with tokens of an identity provider. Secret: oauthTokenEndpointUrl and
	// oauthClientId; either oauthClientSecret, or oauthClientEmail and oauthPrivateKey with an optional
	// oauthTokenExpirationSeconds; oauthIdpCaCertificate if the provider has a private CA.
	OAuthBearerAuth SourceAccessType = "OAUTHBEARER_AUTH"
	// OAuthBearerScope is the scope to request. URI is the scope itself; several are separated by spaces.
	OAuthBearerScope SourceAccessType = "OAUTHBEARER_SCOPE"
	// OAuthBearerAudience is the audience to request. URI is the audience itself. IAM_OAUTHBEARER_AUTH needs it.
	OAuthBearerAudience SourceAccessType = "OAUTHBEARER_AUDIENCE"
	// OAuthBearerLogicalCluster and OAuthBearerIdentityPool are Confluent Cloud's SASL extensions logicalCluster and
	// identityPoolId. URI is the value itself.
	OAuthBearerLogicalCluster SourceAccessType = "OAUTHBEARER_LOGICAL_CLUSTER"
	OAuthBearerIdentityPool   SourceAccessType = "OAUTHBEARER_IDENTITY_POOL"
	// IAMAuth is AWS_MSK_IAM: requests are signed with this process's AWS credentials. It has no URI.
	IAMAuth SourceAccessType = "IAM_AUTH"
	// IAMOAuthBearerAuth is SASL/OAUTHBEARER with tokens of AWS's sts:GetWebIdentityToken. It has no URI and needs
	// OAUTHBEARER_AUDIENCE.
	IAMOAuthBearerAuth SourceAccessType = "IAM_OAUTHBEARER_AUTH"
)

// SourceAccessConfiguration is one entry of SourceAccessConfigurations: AWS's SourceAccessConfiguration.
type SourceAccessConfiguration struct {
	// Type says what the entry is for.
	Type SourceAccessType `json:"Type"`
	// URI names the secret (an ARN of AWS Secrets Manager, or whatever the configured [Secrets] accept), or is the subnet,
	// the security group or another value. AWS allows 1 to 200 characters of [ a-zA-Z0-9-/*:_+=.@].
	URI string `json:"URI,omitempty"`
}

// kind groups the types by what they may be combined with.
type kind int

const (
	kindUnknown kind = iota
	kindNetwork      // VPC_*: any number
	kindCA           // at most one
	kindAuth         // at most one in total
	kindOption       // literals that belong to an OAuth type, each at most once
)

// traits are the properties of a type for the validator and the resolver.
type traits struct {
	kind   kind
	secret bool // URI names a secret
}

func (t SourceAccessType) traits() traits {
	switch t {
	case VPCSubnet, VPCSecurityGroup:
		return traits{kind: kindNetwork}
	case ServerRootCACertificate:
		return traits{kind: kindCA, secret: true}
	case BasicAuth, SASLSCRAM256Auth, SASLSCRAM512Auth, ClientCertificateTLSAuth, OAuthBearerAuth:
		return traits{kind: kindAuth, secret: true}
	case IAMAuth, IAMOAuthBearerAuth:
		return traits{kind: kindAuth}
	case OAuthBearerScope, OAuthBearerAudience, OAuthBearerLogicalCluster, OAuthBearerIdentityPool:
		return traits{kind: kindOption}
	}
	return traits{}
}

// mechanism returns the SASL mechanism of a type, "" for none.
func (t SourceAccessType) mechanism() SASLMechanism {
	switch t {
	case BasicAuth:
		return MechanismPlain
	case SASLSCRAM256Auth:
		return MechanismSCRAMSHA256
	case SASLSCRAM512Auth:
		return MechanismSCRAMSHA512
	}
	return ""
}
