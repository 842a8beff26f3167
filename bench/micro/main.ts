import { parseArgs } from 'node:util'
import type { Summary } from 'benny/lib/internal/common-types.js'
import { loadHash } from '../../src/bytes/hash.js'
import { baselineOf, comparison, readBaseline, saveBaseline } from './baseline.js'
import { suites as block } from './block.js'
import { suites as codec } from './codec.js'
import { suites as compare } from './compare.js'
import { suites as filter } from './filter.js'
import { suites as log } from './log.js'
import { suites as memtable } from './memtable.js'
import { suites as merge } from './merge.js'
import type { Suites } from './suites.js'
import { suites as table } from './table.js'

const MODULES: Readonly<Record<string, Suites>> = { compare, memtable, log, block, filter, codec, table, merge }

const USAGE = `Usage: npm run bench:micro -- [name …] [--save FILE] [--compare FILE]

Measures the parts one by one, each beside what it is instead of.

  name             ${Object.keys(MODULES).join(', ')} (default: all)
  --save FILE      keep what was measured
  --compare FILE   say what has changed since that was kept
  --help           this text
`

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { save: { type: 'string' }, compare: { type: 'string' }, help: { type: 'boolean', default: false } },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const before = values.compare === undefined ? undefined : readBaseline(values.compare)
  const names = positionals.length === 0 ? Object.keys(MODULES) : positionals
  const unknown = names.find((name) => !Object.hasOwn(MODULES, name))
  if (unknown !== undefined) throw new Error(`There is nothing called ${unknown}`)

  await loadHash()
  const summaries: Summary[] = []
  for (const name of names) {
    for await (const summary of MODULES[name]!()) summaries.push(summary)
  }
  const now = baselineOf(summaries)
  if (before !== undefined) process.stdout.write(`${['', ...comparison(before, now)].join('\n')}\n`)
  if (values.save !== undefined) saveBaseline(values.save, now)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  process.exitCode = 2
}
