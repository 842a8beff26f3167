import { describe, expect, it } from 'vitest'
import { isError, reasonOf, describe as sayWhat } from '../../src/bytes/reason.js'
import { ODD_VALUES } from '../odd-values.js'

describe('the reason of what was thrown', () => {
  for (const [what, make] of Object.entries(ODD_VALUES)) {
    it(`is one line for ${what}`, () => {
      for (const say of [reasonOf, sayWhat]) {
        const text = say(make())
        expect(text).toMatch(/^\S.*$/)
        expect(text).not.toMatch(/[\r\n]/)
      }
      expect(typeof isError(make())).toBe('boolean')
    })
  }

  it('is the message of an error, of whatever class or realm', () => {
    expect(reasonOf(new TypeError('no card'))).toBe('no card')
    expect(reasonOf({ message: 'no card' })).toBe('no card')
    expect(reasonOf('no card')).toBe('no card')
    expect(reasonOf(new TypeError(''))).toBe('TypeError')
    expect(reasonOf(new Error('one\n  two\r\nthree'))).toBe('one two three')
    expect(reasonOf(Object.create(null))).toBe('an object of no class that has no text')
    expect(reasonOf(Symbol('odd'))).toBe('Symbol(odd)')
  })

  it('has an end', () => {
    expect(reasonOf(new Error('x'.repeat(1_000_000))).length).toBeLessThan(3000)
  })
})
