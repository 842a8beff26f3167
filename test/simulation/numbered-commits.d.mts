import type { BatchOperation } from '../../src/index.js'

export const COUNT: string
export function commitOf(number: number): BatchOperation<string, string>[]
export function isSynced(number: number): boolean
export function contentAfter(count: number): { '': Map<string, string>; orders: Map<string, string> }
