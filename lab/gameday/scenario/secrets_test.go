package scenario_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// withSecret is a scenario with a program's arguments and environment, what it lists, and a probe.
func withSecret(args, env, list, probe string) string {
	return fmt.Sprintf("scenario: s\ntarget: { url: \"nats://h:1\" }\n"+
		"workload: { external: [ { name: a, command: [ a, %s ], env: { %s } } ] }\n"+
		"observe: { id: body.id, input: orders, effect: { %s } }\n"+
		"probes: { p: { command: %s } }\nphases: [ { baseline: 5s } ]\n", args, env, list, probe)
}

const plainList, plainProbe = `command: [ list ]`, `"true"`

// A secret would stand in every run folder. It is refused by its name, wherever it stands in it, and is not repeated.
func TestSecretsAreRefused(t *testing.T) {
	sources := map[string]string{}
	for _, name := range []string{
		"PGPASS", "PGPASSWORD", "MYPWD", "db_pass_1", "APP_SECRETS", "AUTHTOKEN", "apikey", "ACCESS_KEY_ID", "SSHKEYS", "GOOGLE_CREDENTIALS",
	} {
		sources["the name "+name] = withSecret("b", name+": hunter2", plainList, plainProbe)
	}
	for _, value := range []string{
		"password=hunter2", "host=db user=a password = hunter2", "x;pwd=hunter2", "https://h/?a=1&access_token=hunter2", "PGPASS=hunter2",
		"Password='hunter2'", "db_pass=hunter2", "api-key=hunter2",
	} {
		sources["the value "+value] = withSecret("b", `DSN: "`+value+`"`, plainList, plainProbe)
		sources["the argument "+value] = withSecret(`"`+value+`"`, "A: b", plainList, plainProbe)
	}
	for _, args := range []string{
		`--password, hunter2`, `--password=hunter2`, `-token, hunter2`, `--db-password=hunter2`, `sh, -c, "b --passwd hunter2"`, `--api-key=hunter2`,
	} {
		sources["the arguments "+args] = withSecret(args, "A: b", plainList, plainProbe)
		sources["the listing "+args] = withSecret("b", "A: b", "command: [ list, "+args+" ]", plainProbe)
	}
	sources["a probe's command"] = withSecret("b", "A: b", plainList, `"check --password hunter2"`)
	sources["a probe's address"] = strings.Replace(withSecret("b", "A: b", plainList, "X"), "command: X", `http: "http://h/?key=hunter2"`, 1)
	for name, source := range sources {
		_, err := scenario.Parse("s.yaml", []byte(source), scenario.Options{})
		if err == nil || !strings.Contains(err.Error(), "would stand in every run folder") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What only looks like a secret, or is read elsewhere, is not refused.
func TestWhatIsNoSecret(t *testing.T) {
	for _, text := range []string{
		"--password-file=./file", "password=$PGPASSWORD", "token=${servers}", "bypass=true", "--passive", "compass=north", "--verbose", "password=",
		"--password-stdin", "mode=token",
	} {
		source := withSecret(`"`+text+`", "--password", "--user=a"`, `A: "`+text+`"`, plainList, plainProbe)
		if _, err := scenario.Parse("s.yaml", []byte(source), scenario.Options{}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
