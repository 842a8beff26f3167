import { parseArgs } from 'node:util'
import { peers } from './peers/peers.js'

export const USAGE = `Usage: npm run bench -- [options]

Runs the same workloads on Siltstone and its peers, each in a process of its own, in turn, and prints medians and their ratios.
The first run installs the peers that come as packages; db_bench takes part where it is on the PATH.

  --full            all workloads at full length (30 to 60 minutes); without it a quick look of at most 3 minutes
  --keys N          keys in a store (default 50,000; with --full 1,000,000)
  --seconds N       how long a row of reads or writes may take (default 0.2; with --full 2)
  --rounds N        rounds of every scenario (default 3)
  --peers A,B       only these: ${peers.map(({ name }) => name).join(', ')}
  --only PATTERN    only rows that match, as 'scenario: workload' (a regular expression; case does not count)
  --json FILE       write everything that was measured to a file
  --svg DIRECTORY   write charts
  --help            this text

Stores are made below the directory for temporary files; TMPDIR says where that is. On a memory disk the rows that sync mean
nothing.
`

export interface Options {
  readonly full: boolean
  readonly keys: number
  readonly rounds: number
  readonly seconds: number | undefined
  readonly peers: readonly string[]
  readonly only: string | undefined
  readonly json: string | undefined
  readonly svg: string | undefined
  readonly help: boolean
}

/** Throws, with a sentence for people, where the arguments make no sense. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      full: { type: 'boolean', default: false },
      keys: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      peers: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'string' },
      svg: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const { full, only, json, svg, help } = values
  if (only !== undefined) new RegExp(only)
  return {
    full,
    keys: wholeNumber('--keys', values.keys, full ? 1_000_000 : 50_000, 100),
    rounds: wholeNumber('--rounds', values.rounds, 3, 1),
    seconds: seconds(values.seconds),
    peers: peerNames(values.peers),
    only,
    json,
    svg,
    help,
  }
}

function wholeNumber(name: string, text: string | undefined, fallback: number, lowest: number): number {
  if (text === undefined) return fallback
  const number = Number(text.replaceAll(/[_,]/g, ''))
  if (Number.isInteger(number) && number >= lowest) return number
  throw new Error(`${name} takes a whole number of at least ${lowest}, not '${text}'`)
}

function seconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  throw new Error(`--seconds takes a number above 0, not '${text}'`)
}

function peerNames(text: string | undefined): string[] {
  const known = peers.map(({ name }) => name)
  if (text === undefined) return known
  const asked = text.split(',').map((name) => name.trim())
  for (const name of asked) {
    if (!known.includes(name)) throw new Error(`--peers knows no '${name}'; there are ${known.join(', ')}`)
  }
  return known.filter((name) => asked.includes(name))
}
