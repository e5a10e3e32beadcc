package auth

import (
	"encoding/json"
	"strings"
	"testing"
)

const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf"

func TestValidateSourceAccess(t *testing.T) {
	e := func(t SourceAccessType, uri string) SourceAccessConfiguration {
		return SourceAccessConfiguration{t, uri}
	}
	many := make([]SourceAccessConfiguration, 24)
	for i := range many {
		many[i] = e(VPCSubnet, "subnet:subnet-1")
	}
	for name, c := range map[string]struct {
		configs []SourceAccessConfiguration
		want    []string // one per problem: the path, then words of the message
	}{
		"nothing":     {nil, nil},
		"all of them": {[]SourceAccessConfiguration{e(VPCSubnet, "subnet:subnet-1"), e(VPCSubnet, "subnet-2"), e(VPCSecurityGroup, "security_group:sg-1"), e(SASLSCRAM512Auth, arn), e(ServerRootCACertificate, arn)}, nil},
		"a file":      {[]SourceAccessConfiguration{e(BasicAuth, "file:/run/secrets/kafka.json")}, nil},
		"two kinds": {[]SourceAccessConfiguration{e(BasicAuth, arn), e(ClientCertificateTLSAuth, arn)},
			[]string{"SourceAccessConfigurations[1].Type and SourceAccessConfigurations[0].Type: CLIENT_CERTIFICATE_TLS_AUTH and BASIC_AUTH"}},
		"three kinds": {[]SourceAccessConfiguration{e(BasicAuth, arn), e(SASLSCRAM256Auth, arn), e(SASLSCRAM512Auth, arn)},
			[]string{"[1].Type and SourceAccessConfigurations[0].Type", "[2].Type and SourceAccessConfigurations[0].Type"}},
		"twice":      {[]SourceAccessConfiguration{e(BasicAuth, arn), e(BasicAuth, arn)}, []string{"BASIC_AUTH is given twice"}},
		"two CAs":    {[]SourceAccessConfiguration{e(ServerRootCACertificate, arn), e(ServerRootCACertificate, arn)}, []string{"into one secret"}},
		"no type":    {[]SourceAccessConfiguration{e("", arn)}, []string{"[0].Type: is missing"}},
		"unknown":    {[]SourceAccessConfiguration{e("KERBEROS", arn)}, []string{`"KERBEROS" is not a SourceAccessType`}},
		"lower case": {[]SourceAccessConfiguration{e("basic_auth", arn)}, []string{"BASIC_AUTH"}},
		"rabbit":     {[]SourceAccessConfiguration{e("VIRTUAL_HOST", "/")}, []string{"RabbitMQ"}},
		"no URI":     {[]SourceAccessConfiguration{e(BasicAuth, "")}, []string{"[0].URI: BASIC_AUTH needs the secret's name"}},
		"no subnet":  {[]SourceAccessConfiguration{e(VPCSubnet, "")}, []string{"[0].URI: VPC_SUBNET needs a URI"}},
		"bad subnet": {[]SourceAccessConfiguration{e(VPCSubnet, "sg-1")}, []string{"subnet:subnet-0123"}},
		"bad group":  {[]SourceAccessConfiguration{e(VPCSecurityGroup, "subnet-1")}, []string{"security_group:sg-0123"}},
		"a password": {[]SourceAccessConfiguration{e(BasicAuth, `{"username":"u","password":"hunter2"}`)}, []string{"must name a secret, not be one"}},
		"a space":    {[]SourceAccessConfiguration{e(BasicAuth, " a")}, []string{"space"}},
		"long":       {[]SourceAccessConfiguration{e(BasicAuth, strings.Repeat("a", 201))}, []string{"201 characters"}},
		"many":       {many, []string{"SourceAccessConfigurations: 24 entries"}},
		"oauth":      {[]SourceAccessConfiguration{e(OAuthBearerAuth, arn)}, nil},
		"oauth, all": {[]SourceAccessConfiguration{e(OAuthBearerAuth, arn), e(OAuthBearerScope, "kafka read"), e(OAuthBearerAudience, "kafka"),
			e(OAuthBearerLogicalCluster, "lkc-1"), e(OAuthBearerIdentityPool, "pool-1"), e(ServerRootCACertificate, arn)}, nil},
		"scope twice":    {[]SourceAccessConfiguration{e(OAuthBearerAuth, arn), e(OAuthBearerScope, "a"), e(OAuthBearerScope, "b")}, []string{"OAUTHBEARER_SCOPE is given twice"}},
		"iam":            {[]SourceAccessConfiguration{e(IAMAuth, ""), e(ServerRootCACertificate, arn)}, nil},
		"iam, URI":       {[]SourceAccessConfiguration{e(IAMAuth, arn)}, []string{"takes no URI"}},
		"iam oauth":      {[]SourceAccessConfiguration{e(IAMOAuthBearerAuth, ""), e(OAuthBearerAudience, "kafka")}, nil},
		"iam, no aud":    {[]SourceAccessConfiguration{e(IAMOAuthBearerAuth, "")}, []string{"IAM_OAUTHBEARER_AUTH needs OAUTHBEARER_AUDIENCE"}},
		"scope alone":    {[]SourceAccessConfiguration{e(OAuthBearerScope, "a")}, []string{"needs OAUTHBEARER_AUTH"}},
		"iam, scope":     {[]SourceAccessConfiguration{e(IAMOAuthBearerAuth, ""), e(OAuthBearerAudience, "k"), e(OAuthBearerScope, "a")}, []string{"[2].Type and SourceAccessConfigurations[0].Type: OAUTHBEARER_SCOPE does not go"}},
		"oauth, basic":   {[]SourceAccessConfiguration{e(OAuthBearerAuth, arn), e(BasicAuth, arn)}, []string{"[1].Type and SourceAccessConfigurations[0].Type: BASIC_AUTH and OAUTHBEARER_AUTH"}},
		"iam and oauth":  {[]SourceAccessConfiguration{e(OAuthBearerAuth, arn), e(IAMAuth, "")}, []string{"[1].Type and SourceAccessConfigurations[0].Type: IAM_AUTH and OAUTHBEARER_AUTH"}},
		"empty audience": {[]SourceAccessConfiguration{e(OAuthBearerAuth, arn), e(OAuthBearerAudience, "")}, []string{"[1].URI: OAUTHBEARER_AUDIENCE needs a URI"}},
	} {
		problems := ValidateSourceAccess(c.configs)
		if len(problems) != len(c.want) {
			t.Errorf("%s: %v, want %d problems", name, problems, len(c.want))
			continue
		}
		for i, p := range problems {
			if text := p.Error(); !strings.Contains(text, c.want[i]) || strings.Contains(text, "hunter2") || p.Hint == "" {
				t.Errorf("%s: %q, want %q", name, text, c.want[i])
			}
			if limit := name == "long" || name == "many"; p.AWSLimit != limit {
				t.Errorf("%s: AWSLimit %v", name, p.AWSLimit)
			}
		}
	}
}

// The JSON has AWS's form.
func TestSourceAccessJSON(t *testing.T) {
	const text = `[{"Type":"SASL_SCRAM_512_AUTH","URI":"` + arn + `"},{"Type":"IAM_AUTH"}]`
	var configs []SourceAccessConfiguration
	if err := json.Unmarshal([]byte(text), &configs); err != nil {
		t.Fatal(err)
	}
	if out := must(json.Marshal(configs)); string(out) != text || configs[0].Type != SASLSCRAM512Auth {
		t.Errorf("%s", out)
	}
}
