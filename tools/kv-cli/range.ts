import type { RangeOptions } from '../../src/store/bounds.js'
import { type Notation, parseArgument } from './notation.js'

export interface BoundOptions {
  readonly prefix?: string
  readonly gt?: string
  readonly gte?: string
  readonly lt?: string
  readonly lte?: string
}

const BOUNDS = ['prefix', 'gt', 'gte', 'lt', 'lte'] as const

export function rangeOf(options: BoundOptions, notation: Notation): RangeOptions<Buffer> {
  const range: RangeOptions<Buffer> = {}
  for (const bound of BOUNDS) {
    const text = options[bound]
    if (text !== undefined) range[bound] = parseArgument(text, notation, `--${bound}`)
  }
  return range
}
