package template_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/esm-go/esm/mapping/template"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var values = template.Values{
	"Stage": "prod", "KafkaSecret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:login", "DeadLetters.Arn": "arn:aws:sqs:eu-west-1:123456789012:dead",
	"AWS::AccountId": "123456789012", "AWS::Region": "eu-west-1",
}

// want holds each template's mappings, as the JSON of CreateEventSourceMapping.
var want = map[string]map[string]string{
	"cloudformation.yaml": {
		"OrdersMapping": `{"FunctionName":"orders-prod","Topics":["orders-prod"],"BatchSize":50,"Enabled":false,"BisectBatchOnFunctionError":true,
			"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["b1.prod.example.com:9092","b2:9092"]}},"StartingPosition":"AT_TIMESTAMP","StartingPositionTimestamp":1700000000.5,
			"SourceAccessConfigurations":[{"Type":"SASL_SCRAM_512_AUTH","URI":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:login"}],
			"SelfManagedKafkaEventSourceConfig":{"ConsumerGroupId":"orders-${literal}-prod"},"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:sqs:eu-west-1:123456789012:dead"}},
			"FilterCriteria":{"Filters":[{"Pattern":"{\"value\":{\"a\":[{\"numeric\":[\">\",1]}]}}"}]},"ProvisionedPollerConfig":{"MinimumPollers":1,"MaximumPollers":3},
			"KMSKeyArn":"arn:aws:kms:eu-west-1:123456789012:key/k","Tags":{"team":"x","cost":"42"},"FunctionResponseTypes":["ReportBatchItemFailures"],"MaximumRetryAttempts":3}`,
		"Plain": `{"FunctionName":"PlainFunction","Topics":["aa","bb"],"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["b1.prod.example.com:9092","b2:9092"]}}}`,
	},
	"sam.yaml": {
		"OrdersFunction.Kafka": `{"FunctionName":"OrdersFunction","Topics":["orders"],"BatchSize":10,"StartingPosition":"LATEST","Enabled":true,
			"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["b1:9092"]}},"SelfManagedKafkaEventSourceConfig":{"ConsumerGroupId":"g"},
			"SourceAccessConfigurations":[{"Type":"BASIC_AUTH","URI":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:login"}],
			"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:sqs:eu-west-1:123456789012:dead"}}}`,
	},
	"cloudformation.json": {
		"M": `{"FunctionName":"f","Topics":["orders-prod"],"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["b:1"]}},"MaximumBatchingWindowInSeconds":0}`,
	},
}

func canonical(t *testing.T, document string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	out, _ := json.Marshal(v)
	return string(out)
}

func TestFromTemplate(t *testing.T) {
	for name, mappings := range want {
		resources, err := template.FromTemplate(read(t, name), values)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(resources) != len(mappings) {
			t.Errorf("%s: %d mappings", name, len(resources))
		}
		for _, r := range resources {
			got, err := r.Mapping.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := canonical(t, string(got)), canonical(t, mappings[r.LogicalID]); got != want {
				t.Errorf("%s %s:\n%s\nwant\n%s", name, r.LogicalID, got, want)
			}
		}
	}
}

// TestUnresolved checks that every reference without a value is named, with its line.
func TestUnresolved(t *testing.T) {
	_, err := template.FromTemplate(read(t, "cloudformation.yaml"), nil)
	for _, part := range []string{"Fn::GetAtt DeadLetters.Arn cannot be resolved: give a value for DeadLetters.Arn", "Ref KafkaSecret cannot be resolved", "line 27: Resources.OrdersMapping.Properties.SourceAccessConfigurations[0].URI"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v\nlacks %s", err, part)
		}
	}
}

func TestWrongTemplates(t *testing.T) {
	deep := strings.Repeat("[", 2000) + strings.Repeat("]", 2000)
	const mapping = "Resources:\n  M:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties:\n      SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: ['b:1']}}\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":         {"", "is empty"},
		"not YAML":      {"a: [", "is neither YAML nor JSON"},
		"no Resources":  {"a: b", "it has no Resources"},
		"Fn::If":        {mapping + "      Topics: [!If [a, b, c]]", "line 6: Resources.M.Properties.Topics[0]: Fn::If is not evaluated here"},
		"long Fn::If":   {mapping + "      Topics: [{'Fn::If': [a, b, c]}]", "Fn::If is not evaluated here"},
		"unknown name":  {mapping + "      Topic: [t]", "line 6: Resources.M.Properties: Topic: is not a parameter"},
		"a wrong kind":  {mapping + "      BatchSize: many", "BatchSize: found a string, want a whole number"},
		"no properties": {"Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {Events: {K: {Type: SelfManagedKafka}}}}}", "Resources.F.Properties.Events.K.Properties: is missing"},
		"deep":          {mapping + "      Topics: " + deep, "is nested too deeply"},
		"aliases":       {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n" + mapping + "      Topics: [*e,*e,*e]", ""},
		"open Sub":      {mapping + "      Topics: [!Sub 'a-${b']", "a ${ without its }"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template.FromTemplate([]byte(c.text), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if _, ok := errors.AsType[*template.Error](err); !ok {
				t.Errorf("%T", err)
			}
		})
	}
}

// TestFunctionNamedByItself checks that a name that refers to its own function does not recurse forever.
func TestFunctionNamedByItself(t *testing.T) {
	resources, err := template.FromTemplate([]byte(`
Resources:
  F: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub "x-${F}"}}
  M: {Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: !Ref F, Topics: [t], SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: ["b:1"]}}}}
`), nil)
	if err != nil || resources[0].Mapping.FunctionName != "x-F" {
		t.Error(resources, err)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		mappings int
		want     []string
	}{
		"template": {string(read(t, "cloudformation.yaml")), 2, []string{
			`32: differs on Lambda: OrdersMapping: SelfManagedKafkaEventSourceConfig.ConsumerGroupId = "orders-${literal}-prod": AWS allows letters, digits, spaces and - / * : _ + = . @`,
			`56: differs on Lambda: Plain: Topics = 2: AWS allows exactly one topic; make a mapping for each`,
			`51: differs on Lambda: Plain: SourceAccessConfigurations: Required 'sourceAccessConfigurations' parameter is missing. AWS requires at least the VPC_SUBNET and VPC_SECURITY_GROUP entries where brokers need no authentication`,
		}},
		"mapping": {"{\n\"FunctionName\": \"f\",\n\"BatchSize\": 20000,\n\"Topics\": [\"tt\",\n \"tt\"],\n\"SourceAccessConfigurations\":[{\"Type\":\"BASIC_AUTH\",\"URI\":\"arn:aws:secretsmanager:eu-west-1:123456789012:secret:s\"}],\n\"SelfManagedEventSource\":{\"Endpoints\":{\"KAFKA_BOOTSTRAP_SERVERS\":[\"b:1\"]}}}", 1, []string{
			`5: error: Topics[1] = "tt": is Topics[0] again; leave one of them out`,
			`3: error: BatchSize = 20000: must be 1 to 10000; leave it out for 100`,
			`4: differs on Lambda: Topics = 2: AWS allows exactly one topic; make a mapping for each`,
		}},
		"no JSON":  {"{", 0, []string{"1: error: invalid mapping: the document is not JSON, at byte 1: unexpected end of JSON input"}},
		"unknown":  {"{\n\"Batchsize\": 1}", 0, []string{"2: error: Batchsize: is not a parameter; AWS writes BatchSize"}},
		"all good": {`{"FunctionName":"f","Topics":["orders"],"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["b:1"]}},"SourceAccessConfigurations":[{"Type":"BASIC_AUTH","URI":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:s"}]}`, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			mappings, findings := template.Check([]byte(c.text), values)
			var got []string
			for _, f := range findings {
				got = append(got, f.String())
			}
			if mappings != c.mappings || strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%d mappings\n%s\nwant\n%s", mappings, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// FuzzFromTemplate checks that no template makes it panic or run forever, and that what it returns without an error is
// a mapping.
func FuzzFromTemplate(f *testing.F) {
	for name := range want {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a [*a]\nResources: {M: {Type: 'AWS::Lambda::EventSourceMapping', Properties: {SelfManagedEventSource: *a}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = template.FromTemplate(data, values)
		_, findings := template.Check(data, nil)
		for _, f := range findings {
			_ = f.String()
		}
	})
}
