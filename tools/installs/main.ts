import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { packTarball } from '../packed.js'
import { type Installation, install } from './installation.js'

/*
 * `npm run bench:install`: what it takes to install the packed package and its peers, each in an empty project with an empty cache,
 * in turn, so that whatever else machine and network do hits all of them. `--write` puts the table into README.md, between the two
 * comments that name this command.
 */

// From dist/tools/installs to the root.
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
const PEERS = ['classic-level', 'lmdb', 'better-sqlite3']
const BEGIN = '<!-- npm run bench:install -- --write -->\n'
/** What takes longer is installed once: nobody needs it more exactly. */
const LONG_MS = 60_000
const END = '<!-- up to here -->\n'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, write: { type: 'boolean', default: false } },
})

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function rowOf(name: string, runs: readonly Installation[], problem: string | undefined): string {
  const [first] = runs
  if (first === undefined) return `| ${name} | not installed here: ${problem} | | | | |`
  const seconds = (median(runs.map(({ ms }) => ms)) / 1000).toFixed(1)
  const { version, packages, bytes, nativeFiles, scripts, isCompiled } = first
  return `| ${name} ${version} | ${seconds} s${isCompiled ? ', compiled here' : ''} | ${megabytes(bytes)} | ${packages} | ${nativeFiles} | ${scripts} |`
}

function measure(rounds: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'siltstone-packed-'))
  try {
    const specs = new Map([['siltstone', packTarball(root, folder)], ...PEERS.map((name) => [name, name] as const)])
    const runs = new Map([...specs.keys()].map((name) => [name, [] as Installation[]]))
    const problems = new Map<string, string>()
    for (let round = 0; round < rounds; round++) {
      for (const [name, spec] of specs) {
        if (problems.has(name) || runs.get(name)!.some(({ ms }) => ms > LONG_MS)) continue
        try {
          runs.get(name)!.push(install(name, spec))
          process.stderr.write(`${name}: ${Math.round(runs.get(name)!.at(-1)!.ms)} ms\n`)
        } catch (error) {
          problems.set(name, (error as Error).message)
          process.stderr.write(`${name}: ${(error as Error).message}\n`)
        }
      }
    }
    const rows = [...runs].map(([name, installations]) => rowOf(name, installations, problems.get(name)))
    const day = new Date().toISOString().slice(0, 10)
    return [
      '| | install | on disk | packages | native files | install scripts |',
      '|---|---|---|---|---|---|',
      ...rows,
      '',
      `\`npm install\` into an empty project with an empty cache, median of ${rounds}, on ${day} with Node ${process.versions.node} on`,
      `${process.platform}-${process.arch}; Siltstone from its tarball, what it depends on and the others from the registry. \`npm run bench:install\``,
      'measures it where you are. *Compiled here*: no binary could be fetched, so the sources were compiled, once.',
      '',
    ].join('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const rounds = Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write('Usage: npm run bench:install -- [--rounds N] [--write]\n')
  process.exit(2)
}
const table = measure(rounds)
process.stdout.write(table)
if (values.write) {
  const path = join(root, 'README.md')
  const text = readFileSync(path, 'utf8')
  const [start, end] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)]
  if (start < BEGIN.length || end < start)
    throw new Error(`README.md lacks the comments ${BEGIN.trim()} and ${END.trim()}`)
  writeFileSync(path, `${text.slice(0, start)}\n${table}\n${text.slice(end)}`)
}
