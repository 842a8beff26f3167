// As much of better-sqlite3, and of SQL, as the guide has: one table at a time, whole rows in, columns out.

const CREATE_TABLE = /^CREATE TABLE (\w+) \((.+)\)$/
const CREATE_INDEX = /^CREATE INDEX /
const INSERT = /^INSERT INTO (\w+) VALUES /
const SELECT = /^SELECT ([\w, ]+) FROM (\w+)(?: WHERE (\w+) = \?)?(?: ORDER BY (\w+))?$/

export default class Sqlite {
  #tables = new Map()

  exec(sql) {
    const [, table, columns] = CREATE_TABLE.exec(sql) ?? []
    if (table !== undefined) {
      const names = columns.split(', ').map((column) => column.split(' ')[0])
      this.#tables.set(table, { names, rows: [] })
    } else if (!CREATE_INDEX.test(sql)) throw new Error(`The stand-in does not know: ${sql}`)
  }

  prepare(sql) {
    const [, into] = INSERT.exec(sql) ?? []
    const [, wanted, from, filter, order] = SELECT.exec(sql) ?? []
    if (into === undefined && from === undefined) throw new Error(`The stand-in does not know: ${sql}`)
    const { names, rows } = this.#tables.get(into ?? from)
    const all = (value) =>
      rows
        .filter((row) => filter === undefined || row[filter] === value)
        .sort((a, b) => (order === undefined ? 0 : a[order] < b[order] ? -1 : 1))
        .map((row) => Object.fromEntries(wanted.split(', ').map((name) => [name, row[name]])))
    return {
      run: (...values) => rows.push(Object.fromEntries(names.map((name, i) => [name, values[i]]))),
      all,
      iterate: (...values) => all(...values)[Symbol.iterator](),
    }
  }

  close() {}
}
