/* The baseline of `make bench`: the same web server, the same library, no work. */
#include <fcgiapp.h>
#include <stdlib.h>

int main(void)
{
    FCGX_Request fcgi;

    if (FCGX_Init() != 0 || FCGX_InitRequest(&fcgi, 0, 0) != 0)
        return EXIT_FAILURE;
    while (FCGX_Accept_r(&fcgi) == 0) {
        char body[65536];
        while (FCGX_GetStr(body, sizeof body, fcgi.in) > 0)
            ;
        if (FCGX_PutS("Content-Type: application/json\r\n\r\n{\"status\":\"pong\"}", fcgi.out) < 0)
            return EXIT_FAILURE;
        FCGX_Finish_r(&fcgi);
    }
    return EXIT_SUCCESS;
}
