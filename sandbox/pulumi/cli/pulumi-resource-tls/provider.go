package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// kind is a resource type. Its resources exist in the state alone, and every change replaces them.
type kind struct {
	inputs []resource.PropertyKey
	// check reports what is wrong with the inputs; it may mark some of them secret.
	check func(inputs resource.PropertyMap) (resource.PropertyMap, []failure)
	// complete adds the defaults that the released plugin keeps in outputs, never in inputs.
	complete func(properties resource.PropertyMap) resource.PropertyMap
	// create returns the outputs; `id` is among them.
	create func(inputs resource.PropertyMap) (resource.PropertyMap, error)
}

type failure struct{ property, reason string }

var kinds = map[string]kind{
	"tls:index/privateKey:PrivateKey":   privateKey,
	"tls:index/certRequest:CertRequest": certRequest,
}

type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
}

func (*provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

// version is that of the released plugin whose place this one takes: package.json pins it.
const version = "5.6.1"

// CheckConfig refuses the provider's one setting: a proxy, for data sources that are not here.
func (*provider) CheckConfig(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	response := &pulumirpc.CheckResponse{Inputs: request.GetNews()}
	for _, key := range slices.Sorted(maps.Keys(request.GetNews().GetFields())) {
		if key != "version" && !strings.HasPrefix(key, "__") {
			response.Failures = append(response.Failures, &pulumirpc.CheckFailure{
				Property: key, Reason: "the stand-in for the tls plugin has no settings",
			})
		}
	}
	return response, nil
}

func (*provider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

func (*provider) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}

func (*provider) Check(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	kind, err := kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(request.GetNews())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.CheckResponse{}
	for _, key := range news.StableKeys() {
		if !slices.Contains(kind.inputs, key) && !news[key].IsNull() {
			response.Failures = append(response.Failures, &pulumirpc.CheckFailure{
				Property: string(key),
				Reason:   fmt.Sprintf("the stand-in for the tls plugin does not have this input; it has %v", kind.inputs),
			})
		}
	}
	inputs, failures := kind.check(news)
	for _, failure := range failures {
		response.Failures = append(response.Failures, &pulumirpc.CheckFailure{Property: failure.property, Reason: failure.reason})
	}
	response.Inputs, err = marshal(inputs)
	return response, err
}

// Diff compares with the outputs, which hold the defaults: stating a default explicitly changes nothing.
func (*provider) Diff(_ context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	kind, err := kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := unmarshal(request.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(request.GetNews())
	if err != nil {
		return nil, err
	}
	before, after := kind.complete(open(olds)), kind.complete(open(news))
	var changed []string
	for _, key := range kind.inputs {
		if !before[key].DeepEquals(after[key]) {
			changed = append(changed, string(key))
		}
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE, Diffs: changed, Replaces: changed}
	if len(changed) > 0 {
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
	}
	return response, nil
}

func (*provider) Create(_ context.Context, request *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	kind, err := kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := unmarshal(request.GetProperties())
	if err != nil {
		return nil, err
	}
	outputs := kind.complete(inputs)
	id := ""
	if !request.GetPreview() {
		if outputs, err = kind.create(inputs); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		id = outputs["id"].StringValue()
	}
	properties, err := marshal(outputs)
	return &pulumirpc.CreateResponse{Id: id, Properties: properties}, err
}

func (*provider) Read(_ context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	if _, err := kindOf(request.GetUrn()); err != nil {
		return nil, err
	}
	return &pulumirpc.ReadResponse{Id: request.GetId(), Inputs: request.GetInputs(), Properties: request.GetProperties()}, nil
}

func (*provider) Delete(context.Context, *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (*provider) Invoke(_ context.Context, request *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	return nil, unsupported("the function " + request.GetTok())
}

func (*provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func kindOf(text string) (kind, error) {
	name := string(urn.URN(text).Type())
	if kind, found := kinds[name]; found {
		return kind, nil
	}
	return kind{}, unsupported("the resource type " + name)
}

func unsupported(what string) error {
	return status.Errorf(codes.Unimplemented, "the stand-in for the tls plugin does not have %s. Install Pulumi, which brings the real plugin: https://www.pulumi.com/docs/install/", what)
}

func unmarshal(properties *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(properties, plugin.MarshalOptions{KeepSecrets: true, KeepUnknowns: true, KeepOutputValues: false})
}

func marshal(properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, plugin.MarshalOptions{KeepSecrets: true, KeepUnknowns: true})
}

// open takes the secret marks off, at every depth, and drops what is null: null means that nothing was given.
func open(properties resource.PropertyMap) resource.PropertyMap {
	opened := resource.PropertyMap{}
	for key, value := range properties {
		for value.IsSecret() {
			value = value.SecretValue().Element
		}
		switch {
		case value.IsNull():
			continue
		case value.IsObject():
			value = resource.NewProperty(open(value.ObjectValue()))
		}
		opened[key] = value
	}
	return opened
}

func secret(value string) resource.PropertyValue {
	return resource.MakeSecret(resource.NewProperty(value))
}
