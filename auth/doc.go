// Package auth turns the SourceAccessConfigurations of an event source mapping into credentials for a Kafka client. It
// also translates the errors of clients and brokers that refuse them into the words that AWS Lambda uses.
//
// Start with [Resolve]: it reads each secret through a [Secrets] store, parses it, decrypts the private key, checks
// that certificate, chain and key belong together and are valid now, and returns [Credentials]. [Check] does the same
// for humans: it returns a [Report] that can be printed. [Classify] maps an error of either Kafka client to a
// [Diagnosis].
//
// # Secrets never print
//
// Every secret value is a [Secret]: its String, GoString, Format, JSON, text and slog forms are all "REDACTED". No
// error of this package quotes the value of a secret, not even one character of it.
//
// # What is supported
//
//	Type                         Meaning                       Secret (JSON)
//	BASIC_AUTH                   SASL/PLAIN over TLS           username, password
//	SASL_SCRAM_256_AUTH          SCRAM-SHA-256 over TLS        username, password
//	SASL_SCRAM_512_AUTH          SCRAM-SHA-512 over TLS        username, password
//	CLIENT_CERTIFICATE_TLS_AUTH  mutual TLS                    certificate, privateKey, privateKeyPassword
//	SERVER_ROOT_CA_CERTIFICATE   private CA of the brokers     certificate
//	OAUTHBEARER_AUTH             OAUTHBEARER over TLS          oauthTokenEndpointUrl, oauthClientId, …
//	OAUTHBEARER_SCOPE, _AUDIENCE scope and audience to request -
//	OAUTHBEARER_LOGICAL_CLUSTER, _IDENTITY_POOL  extensions    -
//	IAM_AUTH                     AWS_MSK_IAM over TLS          - (see WithIAM)
//	IAM_OAUTHBEARER_AUTH         OAUTHBEARER, AWS STS's tokens - (see WithIAM)
//	VPC_SUBNET                   accepted, does nothing        -
//	VPC_SECURITY_GROUP           accepted, does nothing        -
//
// SASL is never used over an unencrypted connection. Without any configuration the protocol is PLAINTEXT; with only a
// root CA it is TLS.
package auth
