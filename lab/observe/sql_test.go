package observe_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/havoqlab/havoq/lab/observe"
)

// database makes a SQLite file as an application does, and keeps it open.
func database(t *testing.T, mode string) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "the orders?.db") // a name that a URL must escape
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("?", "%3f", " ", "%20").Replace(path)+"?_pragma=journal_mode("+mode+")")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	execute(t, db, "create table orders (order_id text, n integer)")
	return path, db
}

func execute(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, l observe.Lister) ([]string, error) {
	t.Helper()
	var ids []string
	err := l.List(t.Context(), func(id string) error { ids = append(ids, id); return nil })
	return ids, err
}

func expectList(t *testing.T, l observe.Lister, want ...string) {
	t.Helper()
	got, err := list(t, l)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("listed %q, %v; want %q", got, err, want)
	}
}

func TestSQLiteIsListedWhileItIsWritten(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		path, db := database(t, mode)
		l := observe.SQL{Database: "sqlite:" + path, Query: "select order_id, n from orders order by n"}
		expectList(t, l)
		execute(t, db, "insert into orders values ('a', 1), ('b', 2), ('a', 3), (null, 4)")
		expectList(t, l, "a", "b", "a", "")
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "insert into orders values ('not yet', 5)"); err != nil {
			t.Fatal(err)
		}
		expectList(t, l, "a", "b", "a", "")
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		expectList(t, observe.SQL{Database: l.Database, Query: "select n from orders where n < 3 order by n"}, "1", "2")
		if mode == "wal" {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			expectList(t, l, "a", "b", "a", "")
		}
	}
}

// A service that was killed leaves a write-ahead log that nobody has merged.
func TestSQLiteAfterACrash(t *testing.T) {
	path, db := database(t, "wal")
	execute(t, db, "insert into orders values ('a', 1)")
	crashed := filepath.Join(t.TempDir(), "crashed.db")
	for _, end := range []string{"", "-wal", "-shm"} { // as the file system has them at this moment
		content, err := os.ReadFile(path + end)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+end, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := observe.SQL{Database: "sqlite:" + crashed, Query: "select order_id from orders"}
	expectList(t, l, "a")
	if err := os.Remove(crashed + "-shm"); err != nil {
		t.Fatal(err)
	}
	expectList(t, l, "a")
}

func TestSQLiteIsOnlyRead(t *testing.T) {
	path, _ := database(t, "delete")
	for _, query := range []string{"insert into orders values ('x', 1) returning order_id", "delete from orders", "create table x (y)"} {
		if _, err := list(t, observe.SQL{Database: "sqlite:" + path, Query: query}); err == nil {
			t.Errorf("%s: it was done", query)
		}
	}
}

func TestSQLErrors(t *testing.T) {
	path, db := database(t, "delete")
	execute(t, db, "insert into orders values (x'00', 1.5)")
	none := filepath.Join(t.TempDir(), "none.db")
	if _, err := list(t, observe.SQL{Database: "sqlite:" + none, Query: "select 1"}); !errors.Is(err, observe.ErrNothingYet) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a listing made the file")
	}
	for query, want := range map[string]string{
		"select order_id from invoices": "no such table",
		"select n from orders":          "an ID of the type float64: let the query cast it to a text",
		"selct":                         "syntax error",
	} {
		if _, err := list(t, observe.SQL{Database: "sqlite:" + path, Query: query}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", query, err)
		}
	}
	enough := errors.New("enough")
	err := observe.SQL{Database: "sqlite:" + path, Query: "select order_id from orders"}.List(t.Context(), func(string) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("the caller's own error is lost: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (observe.SQL{Database: "sqlite:" + path, Query: "select 1"}).List(ended, func(string) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

// Nothing that goes wrong shows the password.
func TestPostgresErrorsHaveNoPassword(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // a database that says too much
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			said := "SFATAL\x00VFATAL\x00C28P01\x00Mthe password hunter2 of ann is wrong\x00\x00"
			fmt.Fprintf(c, "E\x00\x00\x00%c%s", 4+len(said), said)
			c.Close()
		}
	}()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := nobody.Addr().String()
	nobody.Close()
	for _, address := range []string{
		"postgres://ann:hunter2@" + l.Addr().String() + "/shop?sslmode=disable",
		"postgres://ann:hunter2@" + closed + "/shop",
		"postgres://ann:hunt%20er2@" + closed + "/shop",
		"postgres://ann:hunter2@127.0.0.1:port/shop",
		"postgres://ann:hunter2@" + closed + "/shop?connect_timeout=x",
	} {
		_, err := list(t, observe.SQL{Database: address, Query: "select 1"})
		if err == nil {
			t.Errorf("%s: listed", address)
			continue
		}
		if strings.Contains(err.Error(), "hunt") {
			t.Errorf("the message has the password: %v", err)
		}
		if strings.HasSuffix(address, "disable") && !strings.Contains(err.Error(), "the password *** of ann is wrong") {
			t.Errorf("what the database says is lost: %v", err)
		}
	}
}
