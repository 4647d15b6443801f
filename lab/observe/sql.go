package observe

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// maxIDText bounds what is taken of one ID out of a listing; history.MaxID refuses the rest.
const maxIDText = 1024

// SQL lists the first column of a query. Each listing opens the database anew, for reading only: a connection that was opened
// before a fault may go on working and prove nothing, and a file may have been replaced.
type SQL struct {
	// Database is sqlite:PATH or postgres://…. It may have a password; errors do not.
	Database string
	Query    string
	// Timeout is how long one query may take the database. 0: 10s.
	Timeout time.Duration
}

var _ Lister = SQL{}

// List implements Lister.
func (l SQL) List(ctx context.Context, found func(id string) error) error {
	err := l.list(ctx, found)
	if err == nil || errors.Is(err, ErrNothingYet) {
		return err
	}
	return &listError{l.place(), l.clean(err.Error()), err}
}

// listError says what kept a listing from being made, without the password of its database.
type listError struct {
	place, text string
	err         error
}

func (e *listError) Error() string { return e.place + ": " + e.text }

// Unwrap gives the cause to errors.Is. Its text may have a password in it.
func (e *listError) Unwrap() error { return e.err }

func (l SQL) list(ctx context.Context, found func(string) error) error {
	db, err := l.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it only read
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	rows, err := tx.QueryContext(ctx, l.Query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err has told
	return scan(rows, found)
}

func scan(rows *sql.Rows, found func(string) error) error {
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(sql.RawBytes)
	}
	if len(values) == 0 {
		return errors.New("the query gives no column")
	}
	var id any
	values[0] = &id
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return err
		}
		text, err := idText(id)
		if err != nil {
			return err
		}
		if err := found(text); err != nil {
			return err
		}
	}
	return rows.Err()
}

// idText is an ID as the messages have it. A NULL is one that is missing.
func idText(id any) (string, error) {
	switch v := id.(type) {
	case nil:
		return "", nil
	case string:
		return short(v), nil
	case []byte:
		return short(string(v)), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case int32:
		return strconv.FormatInt(int64(v), 10), nil
	case [16]byte: // a UUID
		return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:]), nil
	}
	return "", fmt.Errorf("an ID of the type %T: let the query cast it to a text", id)
}

func short(id string) string { return id[:min(len(id), maxIDText)] }

// open does not connect yet.
func (l SQL) open() (*sql.DB, error) {
	timeout := l.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	if path, ok := strings.CutPrefix(l.Database, "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: the file %s is not there", ErrNothingYet, path)
		}
		options := url.Values{"mode": {"ro"}, "_pragma": {"query_only(1)", fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()/2)}}
		return sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options.Encode()}).String())
	}
	cfg, err := pgx.ParseConfig(l.Database)
	if err != nil {
		return nil, err
	}
	cfg.ConnectTimeout = timeout
	cfg.RuntimeParams["application_name"] = "havoq"
	cfg.RuntimeParams["default_transaction_read_only"] = "on"
	cfg.RuntimeParams["statement_timeout"] = strconv.FormatInt(timeout.Milliseconds(), 10)
	return stdlib.OpenDB(*cfg), nil
}

// place names the database without secrets.
func (l SQL) place() string {
	u, err := url.Parse(l.Database)
	switch {
	case strings.HasPrefix(l.Database, "sqlite:"):
		return l.Database
	case err != nil:
		return "the database"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// clean takes the password out of a driver's message.
func (l SQL) clean(text string) string {
	u, err := url.Parse(l.Database)
	if err != nil || strings.HasPrefix(l.Database, "sqlite:") {
		return text
	}
	text = strings.ReplaceAll(text, l.Database, l.place())
	if password, set := u.User.Password(); set && password != "" {
		for _, form := range []string{password, url.QueryEscape(password), url.PathEscape(password)} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	return text
}
