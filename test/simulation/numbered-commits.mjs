// What a process that is going to be killed writes: commit after commit, each a function of its number alone, so that whoever
// finds the store knows from the number in it what all the rest has to be. Shared by that process and by the one that checks.

/** The number of the last commit stands here, in every keyspace. */
export const COUNT = 'count'

/** The operations of one commit, as `db.batch` takes them. */
export function commitOf(number) {
  const operations = [{ type: 'put', key: COUNT, value: String(number) }]
  const value = `${number}:`.padEnd(20 + ((number * 7919) % 900), 'v')
  operations.push({ type: 'put', key: key(number * 31), value })
  if (number % 3 === 0) operations.push({ type: 'del', key: key(number * 17) })
  if (number % 4 === 0) {
    operations.push({ type: 'put', key: COUNT, value: String(number), keyspace: 'orders' })
    operations.push({ type: 'put', key: key(number), value, keyspace: 'orders' })
  }
  // Larger than a segment.
  if (number % 301 === 0) operations.push({ type: 'put', key: 'large', value: value.repeat(200) })
  return operations
}

/** Whether that commit is written with `sync`. */
export function isSynced(number) {
  return number % 11 === 0
}

function key(number) {
  return `k${String(number % 211).padStart(4, '0')}`
}

/** The whole store after so many commits, by keyspace. */
export function contentAfter(count) {
  const content = { '': new Map(), orders: new Map() }
  for (let number = 1; number <= count; number++) {
    for (const { type, key, value, keyspace = '' } of commitOf(number)) {
      if (type === 'put') content[keyspace].set(key, value)
      else content[keyspace].delete(key)
    }
  }
  return content
}
