import type {
  Block,
  FunctionIndex,
  LocationIndex,
  MappingIndex,
  MappingKind,
  SeriesIndex,
  StackIndex,
  StringIndex,
} from './block.ts';
/** placeholder */
export class BlockBuilder {
  string(_s: string): StringIndex {
    throw new Error('todo');
  }
  mapping(_file: StringIndex, _buildId: StringIndex, _kind: MappingKind): MappingIndex {
    throw new Error('todo');
  }
  function(
    _name: StringIndex,
    _systemName: StringIndex,
    _filename: StringIndex,
    _startLine: number,
  ): FunctionIndex {
    throw new Error('todo');
  }
  location(
    _mapping: MappingIndex,
    _addressLow: number,
    _addressHigh: number,
    _lines: ArrayLike<number>,
  ): LocationIndex {
    throw new Error('todo');
  }
  stack(_parent: StackIndex, _location: LocationIndex): StackIndex {
    throw new Error('todo');
  }
  series(_profileType: string, _period: number, _labels: Readonly<Record<string, string>>): SeriesIndex {
    throw new Error('todo');
  }
  add(_series: SeriesIndex, _stack: StackIndex, _timeMs: number, _value: number): void {
    throw new Error('todo');
  }
  loss(_cause: string, _samples: number): void {
    throw new Error('todo');
  }
  build(): Block {
    throw new Error('todo');
  }
}
