package api_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// script runs a client's script and compares its output with want.
func script(t *testing.T, want string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = environment("NODE_NO_WARNINGS=1", "PYTHONIOENCODING=utf-8")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var got, wanted map[string]any
	if err := errors.Join(json.Unmarshal(output, &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for name := range got {
		if _, ok := wanted[name]; !ok {
			t.Errorf("%s: %v is not expected", name, got[name])
		}
	}
	for name, want := range wanted {
		list, isList := got[name].([]any)
		wantList, _ := want.([]any)
		if isList && len(list) == 4 && len(wantList) == 4 { // an error: the end of its text may be omitted
			text, _ := wantList[2].(string)
			if begins, cut := strings.CutSuffix(text, "…"); cut && strings.HasPrefix(list[2].(string), begins) {
				list[2] = text
			}
		}
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
}

func TestBoto3(t *testing.T) {
	python := client(t, "boto3", "bin", "python")
	r := newRig(t)
	script(t, `{
		"created": ["Creating", "Creating", "Disabled"], "timestamp": 1700000000.123,
		"conflict": ["ResourceConflictException", "ResourceConflictException", "An event source mapping with event source (\"kafka:1000\"), function (\"`+accountARN+`function:orders\"), topics (\"topic\") already exists. Please update or delete the existing mapping with UUID …", 409],
		"parameter": ["InvalidParameterValueException", "InvalidParameterValueException", "Invalid filter pattern definition.", 400],
		"validation": ["ClientError", "ValidationException", "1 validation error detected: Value '100000' at 'batchSize' failed to satisfy constraint: Member must have value less than or equal to 10000", 400],
		"missing": ["ResourceNotFoundException", "ResourceNotFoundException", "The resource you requested does not exist.", 404],
		"pages": [2, 1], "ordered": true, "of function": 3, "of another": 0, "tags": {"team": "z"},
		"tags of nothing": ["ResourceNotFoundException", "ResourceNotFoundException", "Event source mapping not found: `+accountARN+`event-source-mapping:…", 404],
		"enabled": "Enabled", "updated": 2,
		"group": ["InvalidParameterValueException", "InvalidParameterValueException", "SelfManagedKafkaEventSourceConfig.ConsumerGroupId: cannot be updated…", 400],
		"queue": ["InvalidParameterValueException", "InvalidParameterValueException", "…", 400],
		"deleted": ["Deleting", "Deleting", "Deleting"], "function": "`+accountARN+`function:orders",
		"signature": ["ClientError", "InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.", 403]
	}`, python, "testdata/boto.py", r.url, secretARN)
}

func TestJavaScript(t *testing.T) {
	modules := client(t, "node", "node_modules")
	r := newRig(t)
	script(t, `{
		"created": ["Creating", "Creating"], "timestamp": 1700000000123,
		"conflict": ["ResourceConflictException", "User", "An event source mapping with event source…", 409],
		"missing": ["ResourceNotFoundException", "User", "The resource you requested does not exist.", 404],
		"parameter": ["InvalidParameterValueException", "User", "Function does not exist", 400],
		"pages": [1, 1], "tags": {"a": "b c"}, "updated": "Disabling", "got": true, "deleted": "Deleting"
	}`, "node", "testdata/client.mjs", modules, r.url, secretARN)
}

func (r *rig) sdk(secret string) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: testRegion, BaseEndpoint: aws.String(r.url), Credentials: credentials.NewStaticCredentialsProvider(testKey, secret, ""), RetryMaxAttempts: 1,
	})
}

func createInput(topic string) *lambda.CreateEventSourceMappingInput {
	return &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("orders"), Topics: []string{topic},
		SelfManagedEventSource:     &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": {"kafka:1000"}}},
		SourceAccessConfigurations: []types.SourceAccessConfiguration{{Type: types.SourceAccessTypeBasicAuth, URI: aws.String(secretARN)}},
	}
}

func TestGoSDK(t *testing.T) {
	r := newRig(t)
	c, ctx := r.sdk(testSecret), t.Context()
	input := createInput("topic")
	at := time.UnixMilli(1700000000123)
	input.StartingPosition, input.StartingPositionTimestamp, input.Tags = types.EventSourcePositionAtTimestamp, &at, map[string]string{"a b": "c/d"}
	created, err := c.CreateEventSourceMapping(ctx, input)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateEventSourceMapping(ctx, createInput("topic_2")); err != nil {
		t.Fatal(err)
	}
	if !created.StartingPositionTimestamp.Equal(at) || *created.State != "Creating" || *created.BatchSize != 100 || time.Since(*created.LastModified) > time.Minute {
		t.Errorf("%+v", created)
	}
	var conflict *types.ResourceConflictException
	if _, err := c.CreateEventSourceMapping(ctx, createInput("topic")); !errors.As(err, &conflict) || *conflict.Type != "User" {
		t.Errorf("%v", err)
	}
	var missing *types.ResourceNotFoundException
	if _, err := c.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: aws.String("11111111-2222-4333-8444-555555555555")}); !errors.As(err, &missing) || *missing.Message != "The resource you requested does not exist." {
		t.Errorf("%v", err)
	}
	pages := lambda.NewListEventSourceMappingsPaginator(c, &lambda.ListEventSourceMappingsInput{MaxItems: aws.Int32(1)})
	n := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.EventSourceMappings)
	}
	if n != 2 {
		t.Errorf("pages of %d", n)
	}
	arn := created.EventSourceMappingArn
	if _, err := c.TagResource(ctx, &lambda.TagResourceInput{Resource: arn, Tags: map[string]string{"x": "1"}}); err != nil {
		t.Error(err)
	}
	if _, err := c.UntagResource(ctx, &lambda.UntagResourceInput{Resource: arn, TagKeys: []string{"a b", "y"}}); err != nil {
		t.Error(err)
	}
	if tags, err := c.ListTags(ctx, &lambda.ListTagsInput{Resource: arn}); err != nil || !reflect.DeepEqual(tags.Tags, map[string]string{"x": "1"}) {
		t.Error(tags, err)
	}
	var api smithy.APIError
	if _, err := r.sdk("wrong").ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{}); !errors.As(err, &api) || api.ErrorCode() != "InvalidSignatureException" {
		t.Errorf("a wrong secret: %v", err)
	}
}

// TestTerraform does what Terraform's provider does, with its pending and target states: any other state is an error.
func TestTerraform(t *testing.T) {
	r := newRig(t)
	c, ctx := r.sdk(testSecret), t.Context()
	wait := func(id *string, pending []string, target ...string) {
		t.Helper()
		within(t, strings.Join(target, " or "), func() bool {
			got, err := c.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: id})
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(target, *got.State) {
				return true
			}
			if !slices.Contains(pending, *got.State) {
				t.Fatalf("unexpected state %s: %s", *got.State, *got.StateTransitionReason)
			}
			return false
		})
	}
	input := createInput("topic")
	input.Tags = map[string]string{"env": "test"}
	created, err := c.CreateEventSourceMapping(ctx, input)
	if err != nil {
		t.Fatal(err)
	}
	id := created.UUID
	wait(id, []string{"Creating", "Enabling", "Disabling"}, "Enabled", "Disabled")
	if tags, err := c.ListTags(ctx, &lambda.ListTagsInput{Resource: created.EventSourceMappingArn}); err != nil || tags.Tags["env"] != "test" {
		t.Error(tags, err)
	}
	for _, update := range []*lambda.UpdateEventSourceMappingInput{
		{UUID: id, BatchSize: aws.Int32(5), FunctionName: aws.String("orders")},
		{UUID: id, SourceAccessConfigurations: []types.SourceAccessConfiguration{{Type: types.SourceAccessTypeSaslScram512Auth, URI: aws.String(secretARN)}}},
		{UUID: id, Enabled: aws.Bool(false)}, {UUID: id, Enabled: aws.Bool(true)},
		{UUID: id, FilterCriteria: &types.FilterCriteria{}, ProvisionedPollerConfig: &types.ProvisionedPollerConfig{}},
	} {
		if _, err := c.UpdateEventSourceMapping(ctx, update); err != nil {
			t.Fatal(err)
		}
		wait(id, []string{"Updating", "Enabling", "Disabling"}, "Enabled", "Disabled")
	}
	if _, err := c.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: id}); err != nil {
		t.Fatal(err)
	}
	within(t, "ResourceNotFoundException", func() bool {
		got, err := c.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: id})
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
			return true
		}
		if err != nil || *got.State != "Deleting" {
			t.Fatalf("%v %v", got, err)
		}
		return false
	})
}
