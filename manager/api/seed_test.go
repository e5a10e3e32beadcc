package api_test

import (
	"strings"
	"testing"
)

// The commands of AWS's page on self-managed Kafka, verbatim.
const (
	scramCommand = `aws lambda create-event-source-mapping --topics AWSKafkaTopic --source-access-configuration Type=SASL_SCRAM_512_AUTH,URI=arn:aws:secretsmanager:us-east-1:01234567890:secret:MyBrokerSecretName --function-name arn:aws:lambda:us-east-1:01234567890:function:my-kafka-function --self-managed-event-source '{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["abc3.xyz.com:9092", "abc2.xyz.com:9092"]}}'`
	vpcCommand   = `aws lambda create-event-source-mapping --topics AWSKafkaTopic --source-access-configuration '[{"Type": "VPC_SUBNET", "URI": "subnet:subnet-0011001100"}, {"Type": "VPC_SUBNET", "URI": "subnet:subnet-0022002200"}, {"Type": "VPC_SECURITY_GROUP", "URI": "security_group:sg-0123456789"}]' --function-name arn:aws:lambda:us-east-1:01234567890:function:my-kafka-function --self-managed-event-source '{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["abc3.xyz.com:9092", "abc2.xyz.com:9092"]}}'`
	getCommand   = `aws lambda get-event-source-mapping --uuid dh38738e-992b-343a-1077-3478934hjkfd7`
)

// TestSeedAsTyped runs them verbatim, with --endpoint-url added. AWS's model rejects each: the account has eleven
// digits, which no function's ARN has, and the UUID has 37 characters.
func TestSeedAsTyped(t *testing.T) {
	r := newRig(t)
	for _, command := range []string{scramCommand, vpcCommand} {
		_, complaint := r.aws(command)
		const want = "(ValidationException) when calling the CreateEventSourceMapping operation: 1 validation error detected: Value 'arn:aws:lambda:us-east-1:01234567890:function:my-kafka-function' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?"
		if !strings.Contains(complaint, want) {
			t.Errorf("%s\nwant %s", complaint, want)
		}
	}
	_, complaint := r.aws(getCommand)
	if !strings.Contains(complaint, "(ValidationException) when calling the GetEventSourceMapping operation: 1 validation error detected: Value 'dh38738e-992b-343a-1077-3478934hjkfd7' at 'uUID' failed to satisfy constraint: Member must have length less than or equal to 36") {
		t.Error(complaint)
	}
}

// TestSeedWithValidValues replaces the account, and the UUID with that of the created mapping. The second create
// conflicts with the mapping that the first one created: it has the same servers, function and topic.
func TestSeedWithValidValues(t *testing.T) {
	r := newRig(t)
	valid := strings.NewReplacer("01234567890:", "123456789012:")
	created := r.must(valid.Replace(scramCommand))
	id, _ := created["UUID"].(string)
	if created["State"] != "Creating" || created["StartingPosition"] != "TRIM_HORIZON" || created["FunctionArn"] != "arn:aws:lambda:us-east-1:123456789012:function:my-kafka-function" {
		t.Errorf("%v", created)
	}
	_, complaint := r.aws(valid.Replace(vpcCommand))
	if !strings.Contains(complaint, `(ResourceConflictException) when calling the CreateEventSourceMapping operation: An event source mapping with event source ("abc3.xyz.com:9092,abc2.xyz.com:9092"), function ("arn:aws:lambda:us-east-1:123456789012:function:my-kafka-function"), topics ("AWSKafkaTopic") already exists. Please update or delete the existing mapping with UUID `+id) {
		t.Error(complaint)
	}
	get := strings.Replace(getCommand, "dh38738e-992b-343a-1077-3478934hjkfd7", id, 1)
	within(t, "Enabled", func() bool { return r.must(get)["State"] == "Enabled" })
	r.must("aws lambda delete-event-source-mapping --uuid " + id)
	within(t, "its end", func() bool {
		_, complaint := r.aws(get)
		return strings.Contains(complaint, "ResourceNotFoundException")
	})
	if created := r.must(valid.Replace(vpcCommand)); created["State"] != "Creating" {
		t.Errorf("%v", created)
	}
}
