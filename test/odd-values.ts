/** Values that somebody may throw, and that are hard to turn into text. Made anew each time, as a revoked proxy stays revoked. */
export const ODD_VALUES: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  'an empty text': () => '',
  'a number': () => 0,
  'a big integer': () => 1n,
  'a symbol': () => Symbol('odd'),
  'a function': () => () => {},
  'an object without a prototype': () => Object.create(null),
  'an object whose texts are no functions': () => ({ toString: 1, valueOf: 1 }),
  'an object whose toString throws': () => ({
    toString() {
      throw new Error('no text')
    },
  }),
  'an object whose toString throws itself': () => {
    const odd = {
      toString() {
        throw odd
      },
    }
    return odd
  },
  'an object with a symbol for a tag': () => ({ [Symbol.toPrimitive]: () => Symbol('odd') }),
  'an object whose class has a symbol for a name': () => ({ constructor: { name: Symbol('odd') }, toString: null }),
  'an object whose getters throw': () =>
    Object.defineProperties({}, Object.fromEntries(PROPERTIES.map((name) => [name, { get: refuse }]))),
  'an error whose getters throw': () =>
    Object.defineProperties(new Error('odd'), Object.fromEntries(PROPERTIES.map((name) => [name, { get: refuse }]))),
  'an error without a text': () => new Error(''),
  'an error of many lines': () => new Error('one\n  two\r\nthree'),
  'an error whose message is an object': () => Object.assign(new Error('odd'), { message: Object.create(null) }),
  'a frozen error': () => Object.freeze(new Error('odd')),
  'an error that is its own cause': () => {
    const error = new Error('odd')
    error.cause = error
    return error
  },
  'a proxy that refuses everything': () => new Proxy({}, refusing()),
  'a proxy of an error that refuses everything': () => new Proxy(new Error('odd'), refusing()),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'a revoked proxy of a function': () => {
    const { proxy, revoke } = Proxy.revocable(() => {}, {})
    revoke()
    return proxy
  },
}

// The stack first: defining it makes V8 read the others.
const PROPERTIES = ['stack', 'message', 'name', 'code', 'cause', 'toString', 'constructor']

function refuse(): never {
  throw new Error('this property is not to be read')
}

function refusing(): ProxyHandler<object> {
  return new Proxy({}, { get: () => refuse })
}
