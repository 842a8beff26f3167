import { expect, test } from 'vitest'
import { ReadPace } from '../../src/table/read-pace.js'

const BLOCK = 4096

test('one slow read is enough to go to the thread pool', () => {
  const pace = new ReadPace()
  for (let i = 0; i < 100; i++) pace.readHere(0.01, BLOCK)
  expect(pace.slow).toBe(false)
  pace.readHere(5, BLOCK)
  expect(pace.slow).toBe(true)
})

test('a larger read may take longer', () => {
  const pace = new ReadPace()
  pace.readHere(0.5, 1024 * 1024)
  expect(pace.slow).toBe(false)
})

test('fast answers of the pool lead back, and later each time reads here turn out slow again', () => {
  const pace = new ReadPace()
  const answersUntilFast = (): number => {
    pace.readHere(5, BLOCK)
    for (let i = 1; ; i++) {
      pace.readInPool(0.03, BLOCK)
      if (!pace.slow) return i
    }
  }
  const first = answersUntilFast()
  expect(answersUntilFast()).toBeGreaterThan(first)
})

test('fast reads of those who block on this thread lead back as well', () => {
  const pace = new ReadPace()
  pace.readHere(5, BLOCK)
  let reads = 0
  while (pace.slow && reads < 1000) {
    pace.readHere(0.01, BLOCK)
    reads++
  }
  expect(reads).toBeGreaterThan(1)
  expect(reads).toBeLessThanOrEqual(256)
})
