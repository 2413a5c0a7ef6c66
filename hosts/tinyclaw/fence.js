// A directory that the plugin shares with its owner's agent, of which it sees its own files only.
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';

const refuse = () => { throw 'not-permitted'; };

// WASI for a plugin that has of a directory the files whose names fit.
export function fenced(directory, fits) {
  const imports = new WASIShim({ sandbox: { preopens: { '/': directory }, env: {}, args: [] } }).getImportObject();
  const preopens = Object.keys(imports).find(name => name.startsWith('wasi:filesystem/preopens'));
  const directories = imports[preopens].getDirectories();
  for (const [descriptor] of directories) {
    // Whatever takes a name of a file takes it as a text, at one of its places.
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(descriptor)).filter(name => name.endsWith('At'))) {
      const method = descriptor[name];
      descriptor[name] = (...given) => {
        if (given.some(value => typeof value === 'string' && !fits.test(value))) refuse();
        return method.apply(descriptor, given);
      };
    }
    descriptor.readDirectory = refuse;
  }
  return { ...imports, [preopens]: { getDirectories: () => directories } };
}
