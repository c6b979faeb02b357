package store

import "embed"

// migrations is the schema, in numbered steps that are never edited once
// released: of SQLite, and in the folder postgres of PostgreSQL. A number means
// the same in both.
//
//go:embed migrations/*.sql migrations/postgres/*.sql
var migrations embed.FS

// Every statement of the package, as SQLite reads it; forPostgres says what
// PostgreSQL reads instead. The few that have nothing in common are beside the
// code that sends them.
const (
	// chainID is what everything that a chain owns hangs on: the id of the root
	// of the run. superseded is whether a later run has continued the chain.
	chainID    = `coalesce(runs.root, runs.id)`
	superseded = `EXISTS (SELECT 1 FROM runs AS later WHERE later.root = ` + chainID + ` AND later.id > runs.id)`

	sqlAddRun = `INSERT INTO runs (namespace, workflow, run, root) VALUES (?, ?, ?, ?) RETURNING id`
	sqlChain  = `SELECT ` + chainID + `, ` + superseded + `
		FROM runs WHERE workflow = ? AND run = ? AND namespace = ?`

	sqlHandover = `SELECT namespace, workflow, run
		FROM handovers JOIN runs ON runs.id = handovers.run_id WHERE digest = ?`
	sqlAddHandover = `INSERT INTO handovers (digest, run_id) VALUES (?, ?)`

	sqlHead = `SELECT ` + chainID + `, ` + superseded + `, records.seq, records.link
		FROM runs LEFT JOIN records ON records.run_id = ` + chainID + `
			AND records.seq = (SELECT max(seq) FROM records WHERE run_id = ` + chainID + `)
		WHERE runs.workflow = ? AND runs.run = ? AND runs.namespace = ?`
	sqlAddRecord = `INSERT INTO records (run_id, seq, link, payload_type, payload, signatures)
		VALUES (?, ?, ?, ?, ?, ?)`
	// sqlRecords starts one record early: its link is what the next one is
	// checked against.
	sqlRecords = `SELECT seq, link, payload_type, payload, signatures
		FROM records JOIN runs ON records.run_id = ` + chainID + `
		WHERE runs.workflow = ? AND runs.run = ? AND runs.namespace = ? AND seq >= CAST(? AS BIGINT) - 1
		ORDER BY seq`
	sqlLastTwo = `SELECT seq, link, payload_type, payload, signatures
		FROM records JOIN runs ON records.run_id = ` + chainID + `
		WHERE runs.workflow = ? AND runs.run = ? AND runs.namespace = ?
		ORDER BY seq DESC LIMIT 2`

	sqlNonce    = `SELECT run_id FROM nonces WHERE principal = ? AND value = ?`
	sqlAddNonce = `INSERT INTO nonces (principal, value, run_id, expires) VALUES (?, ?, ?, ?)`

	sqlSelectSlots = `SELECT slots.step, decision, key, worker, at, payload_type, payload, signatures
		FROM slots JOIN runs ON slots.run_id = ` + chainID + `
		LEFT JOIN outcomes ON outcomes.run_id = slots.run_id AND outcomes.step = slots.step
		WHERE runs.workflow = ? AND runs.run = ? AND runs.namespace = ?`
	sqlSlot  = sqlSelectSlots + ` AND slots.step = ?`
	sqlSlots = sqlSelectSlots + ` ORDER BY slots.rowid`
	// sqlTaking is all that Take has to know, in one round trip: the run, whether
	// its chain has the decision, how many orders there are, and the slot, if it
	// was taken.
	sqlTaking = `SELECT ` + chainID + `, ` + superseded + `,
			EXISTS (SELECT 1 FROM records WHERE records.run_id = ` + chainID + `),
			(SELECT link FROM records WHERE records.run_id = ` + chainID + ` AND seq = ?),
			coalesce((SELECT max(seq) + 1 FROM records WHERE records.run_id = (SELECT coalesce(root, id)
				FROM runs AS reserved WHERE reserved.workflow = ? AND reserved.run = ? AND reserved.namespace = ?)), 0),
			slots.step IS NOT NULL, coalesce(slots.step, ''), decision, coalesce(key, ''), coalesce(worker, ''), coalesce(at, 0),
			payload_type, payload, signatures
		FROM runs LEFT JOIN slots ON slots.run_id = ` + chainID + ` AND slots.step = ?
		LEFT JOIN outcomes ON outcomes.run_id = slots.run_id AND outcomes.step = slots.step
		WHERE runs.workflow = ? AND runs.run = ? AND runs.namespace = ?`
	sqlAddSlot    = `INSERT INTO slots (run_id, step, decision, key, worker, at) VALUES (?, ?, ?, ?, ?, ?)`
	sqlAddOutcome = `INSERT INTO outcomes (run_id, step, payload_type, payload, signatures)
		VALUES (?, ?, ?, ?, ?)`

	sqlLease = `SELECT number, until, payload_type, payload, signatures
		FROM leases JOIN runs ON leases.run_id = ` + chainID + `
		WHERE runs.workflow = ? AND runs.run = ? AND runs.namespace = ?`
	sqlAddLease = `INSERT INTO leases (run_id, number, until, payload_type, payload, signatures)
		VALUES (?, ?, ?, ?, ?, ?)`
	sqlMoveLease = `UPDATE leases SET number = ?2, until = ?3, payload_type = ?4, payload = ?5, signatures = ?6
		WHERE run_id = ?1`

	sqlAttested = `SELECT outcomes.step IS NOT NULL, attempt, counter
		FROM slots JOIN runs ON slots.run_id = ` + chainID + `
		LEFT JOIN outcomes ON outcomes.run_id = slots.run_id AND outcomes.step = slots.step
		LEFT JOIN attestations ON attestations.run_id = slots.run_id AND attestations.step = slots.step
		WHERE runs.workflow = ? AND runs.run = ? AND runs.namespace = ? AND slots.step = ?`
	sqlAttestations = `SELECT slots.step, attempt, counter, attestations.payload_type,
			attestations.payload, attestations.signatures
		FROM runs JOIN slots ON slots.run_id = ` + chainID + `
		JOIN attestations ON attestations.run_id = slots.run_id AND attestations.step = slots.step
		WHERE runs.workflow = ? AND runs.run = ? AND runs.namespace = ?
			AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.run_id = slots.run_id AND outcomes.step = slots.step)
		ORDER BY slots.rowid`
	sqlAddAttestation = `INSERT INTO attestations (run_id, step, attempt, counter, payload_type, payload, signatures)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
	sqlMoveAttestation = `UPDATE attestations SET attempt = ?3, counter = ?4, payload_type = ?5, payload = ?6, signatures = ?7
		WHERE run_id = ?1 AND step = ?2`

	// sqlEpoch counts the runs of the chain up to this one.
	sqlEpoch = `SELECT 1 + (SELECT count(*) FROM runs AS earlier WHERE earlier.root = runs.root AND earlier.id <= runs.id)
		FROM runs WHERE workflow = ? AND run = ? AND namespace = ?`

	sqlRuns  = `SELECT namespace, workflow, run FROM runs WHERE workflow = ? AND namespace <> '' ORDER BY id DESC`
	sqlList  = `SELECT namespace, workflow, run FROM runs WHERE namespace <> '' ORDER BY id DESC LIMIT ?`
	sqlPulse = `UPDATE pulse SET beats = CASE WHEN beats < 1000000000 THEN beats + 1 ELSE 0 END WHERE id = 1`

	// What a role has to write, tried without writing: what takes a right, a table
	// or its lock takes them here too.
	sqlTryRuns         = `INSERT INTO runs (namespace, workflow, run, root) SELECT namespace, workflow, run, root FROM runs WHERE 1 = 0`
	sqlTryRecords      = `INSERT INTO records SELECT * FROM records WHERE 1 = 0`
	sqlTryNonces       = `INSERT INTO nonces SELECT * FROM nonces WHERE 1 = 0`
	sqlTryHandovers    = `INSERT INTO handovers SELECT * FROM handovers WHERE 1 = 0`
	sqlTryLeases       = `INSERT INTO leases SELECT * FROM leases WHERE 1 = 0`
	sqlTryRenewal      = `UPDATE leases SET number = number, until = until, payload_type = payload_type, payload = payload, signatures = signatures WHERE 1 = 0`
	sqlTrySlots        = `INSERT INTO slots (run_id, step, decision, key, worker, at) SELECT run_id, step, decision, key, worker, at FROM slots WHERE 1 = 0`
	sqlTryOutcomes     = `INSERT INTO outcomes SELECT * FROM outcomes WHERE 1 = 0`
	sqlTryAttestations = `INSERT INTO attestations SELECT * FROM attestations WHERE 1 = 0`
	sqlTryAttesting    = `UPDATE attestations SET attempt = attempt, counter = counter, payload_type = payload_type, payload = payload, signatures = signatures WHERE 1 = 0`

	sqlStamp = `UPDATE clock SET seen = ?1 WHERE id = 1 AND seen < ?1`
	sqlSeen  = `SELECT seen FROM clock WHERE id = 1`
)
