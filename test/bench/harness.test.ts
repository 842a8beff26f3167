import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { benchmarksPage } from '../../bench/page.js'
import type { Report } from '../../bench/report.js'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const directory = mkdtempSync(join(tmpdir(), 'siltstone-harness-'))
afterAll(() => rmSync(directory, { recursive: true }))

function bench(...args: string[]) {
  return spawnSync(process.execPath, [join(root, 'dist/bench/main.js'), ...args], {
    encoding: 'utf8',
    // Without a PATH db_bench is not found, whether it is installed or not.
    env: { ...process.env, PATH: '' },
  })
}

describe('the benchmark', () => {
  const json = join(directory, 'report.json')
  const svg = join(directory, 'svg')
  let output: ReturnType<typeof bench>
  let report: Report

  beforeAll(() => {
    output = bench(
      ...['--keys', '500', '--rounds', '2', '--peers', 'siltstone,classic-level,rocksdb'],
      ...['--only', 'loaded: (fillbatch|readrandom|readseq|open|peak)|synced: .*flight', '--json', json, '--svg', svg],
    )
    report = JSON.parse(readFileSync(json, 'utf8'))
  })

  it('comes to its end', () => {
    expect(output.stderr).toContain('round 2 of 2')
    expect(output.status).toBe(0)
  })

  it('writes what it measured as its reader expects it', () => {
    expect(Object.keys(report)).toEqual(['format', 'createdAt', 'machine', 'settings', 'peers', 'missing', 'rows'])
    expect(report.format).toBe(1)
    expect(report.settings).toMatchObject({ keys: 500, rounds: 2, keyBytes: 16, valueBytes: 100 })
    expect(report.peers.map(({ name }) => name)).toEqual(['siltstone', 'classic-level'])
    for (const { settings } of report.peers) expect(settings).toContain('cache 64 MiB')
  })

  it('has a value of every round, their median and the ratio of medians', () => {
    const row = report.rows.find(({ workload }) => workload === 'readrandom, sync, compacted')!
    expect(row).toMatchObject({ scenario: 'loaded', durability: 'written', unit: 'ops/s' })
    const [ours, theirs] = [row.cells['siltstone']!, row.cells['classic-level']!]
    expect(ours.values).toHaveLength(2)
    expect(ours.median).toBeCloseTo((ours.values[0]! + ours.values[1]!) / 2)
    expect(theirs.ratio).toBeCloseTo(ours.median / theirs.median)
    expect(theirs.target).toEqual({ atLeast: 2.5, met: theirs.ratio! >= 2.5 })
    expect(ours.ratio).toBeUndefined()
  })

  it('measures latency, disk and memory beside speed', () => {
    const units = new Map(report.rows.map(({ workload, unit }) => [workload, unit]))
    expect(units.get('fillsync, 64 in flight: p99.9')).toBe('ms')
    expect(units.get('fillbatch of 1000: disk when settled')).toBe('bytes')
    expect(units.get('open')).toBe('ms')
    expect(units.get('peak memory')).toBe('bytes')
  })

  it('leaves out what was not asked for', () => {
    expect(report.rows.filter(({ workload }) => /overwrite|seek/.test(workload))).toEqual([])
    expect(report.rows.some(({ workload }) => workload === 'fillsync, one by one')).toBe(false)
  })

  it('names a peer that is missing, and goes on without it', () => {
    expect(report.missing).toEqual([{ peer: 'rocksdb', reason: expect.stringContaining('db_bench is not installed') }])
    expect(output.stdout).toContain('rocksdb is passed over: db_bench is not installed')
  })

  it('prints one table in which columns stand below each other', () => {
    const lines = output.stdout.split('\n')
    const header = lines.find((line) => line.startsWith('operations a second'))!
    const end = header.indexOf('classic-level') + 'classic-level'.length
    const row = lines.find((line) => line.startsWith('  readrandom, awaited'))!
    expect(row.slice(0, end)).toMatch(/\d( [kM])?$/)
    expect(output.stdout).toMatch(/\d+ of \d+ targets met/)
  })

  it('draws charts and makes a page of them', () => {
    const pictures = readdirSync(svg)
    expect(pictures).toEqual(['latency.svg', 'ratios-classic-level.svg'])
    for (const name of pictures) expect(readFileSync(join(svg, name), 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
    const page = benchmarksPage(report, pictures)
    expect(page).toContain('![Ratios of operations a second](benchmarks/ratios-classic-level.svg)')
    expect(page).toMatch(/^\| readseq, sync \| [\d.]+/m)
    expect(page).not.toContain('NaN')
  })
})

describe('the arguments of the benchmark', () => {
  it.each([
    ['--keys', 'many', '--keys takes a whole number'],
    ['--peers', 'nobody', "--peers knows no 'nobody'"],
    ['--slow', '', "Unknown option '--slow'"],
  ])('are refused by name: %s %s', (name, value, reason) => {
    const { status, stderr } = bench(name, ...(value === '' ? [] : [value]))
    expect(status).toBe(2)
    expect(stderr).toContain(reason)
    expect(stderr).toContain('Usage: npm run bench')
  })

  it('are explained', () => {
    const { status, stdout } = bench('--help')
    expect(status).toBe(0)
    expect(stdout).toContain('--only PATTERN')
  })
})
