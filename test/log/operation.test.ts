import { expect, it } from 'vitest'
import {
  KIND_DELETE,
  KIND_PUT,
  KIND_PUT_EXPIRING,
  KIND_RANGE_DELETE,
  LONGEST_KEY_BYTES,
  LONGEST_VALUE_BYTES,
  operationBytes,
  operationEnd,
  operationExpiresAt,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationTree,
  operationValueLength,
  putOperationHeader,
} from '../../src/log/operation.js'

for (const kind of [KIND_PUT, KIND_PUT_EXPIRING, KIND_DELETE, KIND_RANGE_DELETE]) {
  for (const [keyLength, valueLength] of [
    [0, 0],
    [3, 0],
    [LONGEST_KEY_BYTES, LONGEST_VALUE_BYTES],
  ] as const) {
    it(`an operation of kind ${kind} says where its ${keyLength} + ${valueLength} bytes stand`, () => {
      const bytes = new Uint8Array(100).fill(0xee)
      const offset = 33
      const keyStart = putOperationHeader(bytes, offset, 0xfffffffe, kind, keyLength, valueLength, 2 ** 48 - 2)
      expect(operationTree(bytes, offset)).toBe(0xfffffffe)
      expect(operationKind(bytes, offset)).toBe(kind)
      expect(operationKeyStart(bytes, offset)).toBe(keyStart)
      expect(operationKeyLength(bytes, offset)).toBe(keyLength)
      expect(operationValueLength(bytes, offset)).toBe(valueLength)
      expect(operationExpiresAt(bytes, offset)).toBe(kind === KIND_PUT_EXPIRING ? 2 ** 48 - 2 : 0)
      expect(operationEnd(bytes, offset)).toBe(offset + operationBytes(kind, keyLength, valueLength))
      expect(operationEnd(bytes, offset)).toBe(keyStart + keyLength + valueLength)
      // Nothing outside its header was touched.
      expect([bytes[offset - 1], bytes[keyStart]]).toEqual([0xee, 0xee])
    })
  }
}
