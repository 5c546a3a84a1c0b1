// kube-score and kubeconform as one program: manifests come in on standard input, as YAML or JSON documents; what both
// have to say goes out on standard output, as JSON. The only argument is a folder of JSON schemas, as kubeconform names them. A test tool.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/yannh/kubeconform/pkg/validator"
	"github.com/zegl/kube-score/config"
	"github.com/zegl/kube-score/domain"
	"github.com/zegl/kube-score/parser"
	"github.com/zegl/kube-score/score"
	"github.com/zegl/kube-score/score/checks"
	"github.com/zegl/kube-score/scorecard"
)

// One thing that a linter does not like.
type finding struct {
	Linter string `json:"linter"`
	// KIND/NAME.
	Object string `json:"object"`
	// The check's id for kube-score, "schema" for kubeconform.
	Check string `json:"check"`
	// Where in the object, as the linter says it.
	Path    string `json:"path"`
	Message string `json:"message"`
}

type report struct {
	// How many objects were compared with a schema.
	Validated int `json:"validated"`
	// How many checks said yes or no about an object.
	Scored   int       `json:"scored"`
	Findings []finding `json:"findings"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return errors.New("usage: linters SCHEMAS VERSION <MANIFESTS")
	}
	manifests, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	result := report{Findings: []finding{}}
	if err := conform(manifests, os.Args[1], &result); err != nil {
		return err
	}
	// What fits no schema can be no object for kube-score.
	if len(result.Findings) == 0 {
		if err := scoreAll(manifests, os.Args[2], &result); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func conform(manifests []byte, schemas string, result *report) error {
	location := schemas + "/{{ .ResourceKind }}{{ .KindSuffix }}.json"
	// Strict: no field twice. That none is unknown is the schemas' business.
	validate, err := validator.New([]string{location}, validator.Opts{Strict: true})
	if err != nil {
		return err
	}
	for _, checked := range validate.Validate("manifests", io.NopCloser(bytes.NewReader(manifests))) {
		if checked.Status == validator.Empty {
			continue
		}
		result.Validated++
		if checked.Status == validator.Valid {
			continue
		}
		object := "?"
		if signature, err := checked.Resource.Signature(); err == nil {
			object = signature.Kind + "/" + signature.Name
		}
		// The error as a whole: its parts name the place no deeper than one level.
		result.Findings = append(result.Findings, finding{"kubeconform", object, "schema", "", checked.Err.Error()})
	}
	return nil
}

// A document with a name, as kube-score's parser wants it.
type input struct{ io.Reader }

func (input) Name() string { return "manifests" }

func scoreAll(manifests []byte, version string, result *report) error {
	kubernetes, err := config.ParseSemver(version)
	if err != nil {
		return err
	}
	optional := map[string]struct{}{}
	for _, check := range score.RegisterAllChecks(parser.Empty(), nil, nil).All() {
		if check.Optional {
			optional[check.ID] = struct{}{}
		}
	}
	// Every check that there is, and no annotation that turns one off.
	settings := &config.RunConfiguration{
		EnabledOptionalTests:  optional,
		KubernetesVersion:     kubernetes,
		MinReplicasDeployment: 2,
		MinReplicasHPA:        2,
	}
	reader, err := parser.New(nil)
	if err != nil {
		return err
	}
	objects, err := reader.ParseFiles([]domain.NamedReader{input{bytes.NewReader(manifests)}})
	if err != nil {
		return err
	}
	card, err := score.Score(objects, score.RegisterAllChecks(objects, &checks.Config{}, settings), settings)
	if err != nil {
		return err
	}
	for _, object := range *card {
		name := object.TypeMeta.Kind + "/" + object.ObjectMeta.Name
		for _, test := range object.Checks {
			if test.Skipped {
				continue
			}
			result.Scored++
			if test.Grade >= scorecard.GradeAllOK {
				continue
			}
			for _, comment := range test.Comments {
				result.Findings = append(result.Findings, finding{"kube-score", name, test.Check.ID, comment.Path, comment.Summary})
			}
			if len(test.Comments) == 0 {
				result.Findings = append(result.Findings, finding{"kube-score", name, test.Check.ID, "", test.Grade.String()})
			}
		}
	}
	return nil
}
