import { describe, expect, it } from 'vitest'
import { assert, corruption, invalid, ioError, SiltstoneError } from '../../src/bytes/errors.js'

function refusal(code: string): Error {
  return Object.assign(new Error(`${code}: refused, write`), { code })
}

describe('an error', () => {
  it('has a code, a sentence, and only the details that it was given', () => {
    const error = new SiltstoneError('SILT_LOCKED', 'It is in use', { pid: 7 })
    expect(error).toBeInstanceOf(Error)
    expect({ ...error }).toEqual({ name: 'SiltstoneError', code: 'SILT_LOCKED', pid: 7 })
    expect(String(error)).toBe('SiltstoneError: It is in use')
    expect('cause' in error).toBe(false)
  })

  it('about damage names the place', () => {
    const cause = new Error('bad varint')
    const error = corruption('/db/7.table', 4096, 'its checksum is wrong', cause)
    expect(error).toMatchObject({ code: 'SILT_CORRUPTION', file: '/db/7.table', offset: 4096, cause })
    expect(error.message).toBe('/db/7.table is damaged at offset 4096: its checksum is wrong')
    expect('cause' in corruption('a', 0, 'b')).toBe(false)
  })

  it('about a mistake of the caller is that sentence alone', () => {
    expect(invalid('A key is bytes')).toMatchObject({ code: 'SILT_INVALID_ARGUMENT', message: 'A key is bytes' })
  })

  it('about a broken invariant says that the bug is ours', () => {
    expect(() => assert(false, 'positions grow')).toThrow('Siltstone invariant broken: positions grow')
    expect(() => assert(true, 'positions grow')).not.toThrow()
  })
})

describe('a refusal of the operating system', () => {
  it('says what was attempted on which file, and keeps its cause', () => {
    const cause = refusal('EINVAL')
    const error = ioError(cause, 'write', '/db/1.log')
    expect(error).toMatchObject({ code: 'SILT_IO', file: '/db/1.log', cause })
    expect(error.message).toBe('Could not write /db/1.log: EINVAL: refused, write')
  })

  it('for lack of space has a code of its own, because it passes', () => {
    for (const code of ['ENOSPC', 'EDQUOT']) {
      expect(ioError(refusal(code), 'write', '/db/1.log')).toMatchObject({ code: 'SILT_NO_SPACE', file: '/db/1.log' })
    }
  })

  it('comes with advice where there is some', () => {
    for (const [code, advice] of [
      ['EACCES', 'permissions'],
      ['EROFS', 'readOnly: true'],
      ['EMFILE', 'ulimit -n'],
      ['EIO', 'check it before writing on'],
    ] as const) {
      expect(ioError(refusal(code), 'open', '/db').message).toContain(advice)
    }
  })

  it('that is an error of ours already stays as it is', () => {
    const error = corruption('/db/1.log', 0, 'x')
    expect(ioError(error, 'read', '/db/1.log')).toBe(error)
  })

  it('may be anything that can be thrown', () => {
    expect(ioError('no', 'read', 'f').message).toBe('Could not read f: no')
    expect(ioError(undefined, 'read', 'f')).toMatchObject({ code: 'SILT_IO' })
  })
})
