/** Numbers of the ELF specification (gABI and the psABI supplements) that are used here. */
export const ELF_HEADER_BYTES = 64;
export const PROGRAM_HEADER_BYTES = 56;
export const SECTION_HEADER_BYTES = 64;
export const SYMBOL_BYTES = 24;
export const RELA_BYTES = 24;

export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;

export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;

export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_NOTE = 4;
export const PF_X = 1;

export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHT_DYNSYM = 11;
export const SHT_SYMTAB_SHNDX = 18;

export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
export const SHF_COMPRESSED = 0x800;

/** e_phnum when the number of program headers is in sh_info of section 0. */
export const PN_XNUM = 0xffff;
/** e_shstrndx when the index is in sh_link of section 0; st_shndx when it is in SHT_SYMTAB_SHNDX. */
export const SHN_XINDEX = 0xffff;
/** Section indices from here to SHN_XINDEX have special meanings. */
export const SHN_LORESERVE = 0xff00;
export const SHN_UNDEF = 0;
