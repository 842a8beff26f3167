import { describe, expect, it } from 'vitest'
import { Dataset } from '../../bench/dataset.js'
import { Histogram } from '../../bench/histogram.js'
import { comparison } from '../../bench/micro/baseline.js'
import { reading, rocksdbRows } from '../../bench/peers/rocksdb.js'
import { Permutation } from '../../bench/permutation.js'
import { targets } from '../../bench/targets.js'
import { scenarios } from '../../bench/workloads/scenarios.js'
import { Zipfian } from '../../bench/zipfian.js'

describe('a permutation', () => {
  it.each([1, 2, 3, 10, 1000, 4097])('of %i numbers has each of them once', (size) => {
    const permutation = new Permutation(size)
    const seen = new Set(Array.from({ length: size }, (_, i) => permutation.at(i)))
    expect(seen.size).toBe(size)
    expect(Math.min(...seen)).toBe(0)
    expect(Math.max(...seen)).toBe(size - 1)
  })

  it('has no step that it likes best', () => {
    const permutation = new Permutation(10_000)
    const steps = new Map<number, number>()
    for (let i = 1; i < 10_000; i++) {
      const step = permutation.at(i) - permutation.at(i - 1)
      steps.set(step, (steps.get(step) ?? 0) + 1)
    }
    expect(Math.max(...steps.values())).toBeLessThan(20)
  })
})

describe('the data', () => {
  const data = new Dataset(1000)

  it('has keys of 16 bytes in the order of their numbers, with missing ones in between', () => {
    expect(data.key(7)).toBe('0000000000000014')
    expect(data.missingKey(7) > data.key(7) && data.missingKey(7) < data.key(8)).toBe(true)
  })

  it('has values of 100 bytes and of 100 kB', () => {
    expect(data.value(123_456)).toHaveLength(100)
    expect(data.largeValue(3)).toHaveLength(100_000)
  })

  it('is the same every time', () => {
    const again = new Dataset(1000)
    expect(again.value(5)).toBe(data.value(5))
    expect([...again.shuffled()]).toEqual([...data.shuffled()])
  })
})

describe('a Zipfian choice', () => {
  it('takes the first number as often as theory says', () => {
    const data = new Dataset(10)
    const zipfian = new Zipfian(1000, () => data.fraction())
    const counts = new Uint32Array(1000)
    for (let i = 0; i < 100_000; i++) counts[zipfian.next()]!++
    let zeta = 0
    for (let i = 1; i <= 1000; i++) zeta += 1 / i ** 0.99
    expect(counts[0]! / 100_000).toBeCloseTo(1 / zeta, 2)
    expect(counts[1]! / 100_000).toBeCloseTo(0.5 ** 0.99 / zeta, 2)
    expect(counts[999]!).toBeLessThan(counts[9]!)
  })
})

describe('a histogram', () => {
  it('knows percentiles to three percent', () => {
    const histogram = new Histogram()
    for (let i = 1; i <= 10_000; i++) histogram.record(i / 1000)
    for (const percent of [50, 99, 99.9]) {
      expect(histogram.percentile(percent) / (percent / 10)).toBeGreaterThanOrEqual(1)
      expect(histogram.percentile(percent) / (percent / 10)).toBeLessThan(1.035)
    }
  })

  it('takes the shortest and the longest', () => {
    const histogram = new Histogram()
    histogram.record(0)
    histogram.record(1e9)
    expect(histogram.percentile(50)).toBe(0)
    expect(histogram.percentile(100)).toBeGreaterThan(4000)
  })
})

describe('what is told apart by name', () => {
  const parts = [': p50', ': p99', ': p99.9', ': disk when settled', ': put under load p99', ': put under load p99.9']
  const rows = new Set(
    scenarios.flatMap(({ name, workloads }) =>
      ['', ...parts, ': event-loop delay p99', ': event-loop delay max'].flatMap((part) =>
        workloads.map(({ title }) => `${name}: ${title}${part}`),
      ),
    ),
  )

  it('has a row for every target', () => {
    const astray = targets.filter(
      ({ scenario, workload }) => scenario !== 'growth' && !rows.has(`${scenario}: ${workload}`),
    )
    expect(astray).toEqual([])
  })

  it('has a row for everything that RocksDB runs', () => {
    expect(rocksdbRows().filter(({ scenario, workload }) => !rows.has(`${scenario}: ${workload}`))).toEqual([])
  })
})

describe('the output of db_bench', () => {
  const output = [
    'readrandom   :       2.155 micros/op 463456 ops/sec 0.043 seconds 20000 operations;   51.3 MB/s',
    'readrandom   :       1.705 micros/op 585411 ops/sec 0.034 seconds 20000 operations;   64.8 MB/s',
    'compact      :   38462.000 micros/op 25 ops/sec 0.039 seconds 1 operations;',
  ].join('\n')

  it('is read from the last line of the last benchmark', () => {
    expect(reading({ benchmarks: 'readrandom,readrandom' }, output)).toEqual({ unit: 'ops/s', value: 585411 })
    expect(reading({ benchmarks: 'compact', unit: 'ms' }, output)).toEqual({ unit: 'ms', value: 38.462 })
  })

  it('is missed when it is not there', () => {
    expect(() => reading({ benchmarks: 'readseq' }, output)).toThrow('db_bench printed no rate for readseq')
  })
})

describe('a baseline of the parts', () => {
  const before = { format: 1, createdAt: '', node: 'v20', processor: 'x', suites: { s: { a: 100, b: 100 } } } as const

  it('says what became faster, slower, or is new', () => {
    const now = { ...before, suites: { s: { a: 200, b: 50, c: 1 } } }
    expect(comparison(before, now).map((line) => line.trim().replaceAll(/ +/g, ' '))).toEqual([
      's',
      'a 2.00 x faster',
      'b 0.50 x slower',
      'c new',
    ])
  })

  it('says when it comes from elsewhere', () => {
    expect(comparison({ ...before, processor: 'y' }, before)[0]).toContain('another machine')
  })
})
