/* Spends its time in a function that nothing describes and that uses the frame pointer's register for a number. */
__asm__(
    ".text\n"
    ".globl undescribed\n"
    ".type undescribed, @function\n"
    "undescribed:\n"
    "  mov $12345, %rbp\n"
    "1: add $1, %rax\n"
    "  jmp 1b\n"
    ".size undescribed, . - undescribed\n");

void undescribed(void);

int main(void) {
  undescribed();
  return 0;
}
